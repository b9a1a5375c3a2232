#!/usr/bin/env bash
# Names what a command needs and this machine lacks, each with its cure.
# Usage: prerequisites.sh build|lint|test|bench|demo
set -u

missing=()

# lacking WHAT CURE: remembers one line of the report.
lacking() { missing+=("$1"$'\n'"      cure: $2"); }

# at_least HAVE WANT: compares dotted versions.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

need_rust() {
    local want have
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        lacking "Rust $want or newer (cargo and rustc are not on the PATH)" "install it with rustup, then open a new shell"
        return
    fi
    have=$(rustc --version | cut -d' ' -f2)
    at_least "$have" "$want" || lacking "Rust $want or newer (this one is $have)" "rustup update stable"
}

need_rust_components() {
    local tool
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 ||
            lacking "cargo $tool" "rustup component add $([ "$tool" = fmt ] && echo rustfmt || echo clippy)"
    done
}

need_c_compiler() {
    command -v cc >/dev/null ||
        lacking "a C compiler and linker (cc), which Rust links with" "install gcc or clang, e.g. apt-get install build-essential"
}

need_go() {
    local want have
    want=$(sed -n 's/^go \([0-9.]*\)$/\1/p' sandbox/control-plane/*/go.mod 2>/dev/null | sort -V | tail -n 1)
    want=${want:-1.26}
    # With its own binaries of the control plane nothing has to be built.
    [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/kube-apiserver" ] &&
        [ -x "$KUBEBUILDER_ASSETS/kube-controller-manager" ] && [ -x "$KUBEBUILDER_ASSETS/etcd" ] && return
    if ! command -v go >/dev/null; then
        lacking "Go $want or newer, which builds etcd and the Kubernetes control plane" \
            "install Go, or point KUBEBUILDER_ASSETS at a folder with etcd, kube-apiserver, kube-controller-manager and kubectl"
        return
    fi
    have=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
    # An older Go fetches the tool chain that go.mod asks for, unless GOTOOLCHAIN forbids it.
    if ! at_least "$have" "$want" && [ "$(go env GOTOOLCHAIN)" = local ]; then
        lacking "Go $want or newer (this one is $have and GOTOOLCHAIN=local)" "install a newer Go or unset GOTOOLCHAIN"
    fi
}

need_jdk() {
    local have
    if ! command -v javac >/dev/null || ! command -v java >/dev/null; then
        lacking "JDK 17 (java and javac), on which Flink and the test jobs run" "e.g. apt-get install openjdk-17-jdk-headless"
        return
    fi
    have=$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
    [ "${have:-0}" -ge 17 ] || lacking "JDK 17 (this javac is ${have:-of an unknown version})" "e.g. apt-get install openjdk-17-jdk-headless"
}

need_python() {
    if ! command -v python3 >/dev/null; then
        lacking "Python 3.9 or newer" "e.g. apt-get install python3 python3-venv"
        return
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
        lacking "Python 3.9 or newer (this one is $(python3 -V 2>&1 | cut -d' ' -f2))" "install a newer Python 3"
    [ "${1:-}" = venv ] || return 0
    python3 -c 'import venv, ensurepip' 2>/dev/null ||
        lacking "Python's venv module, which fetches the Flink distributions" "e.g. apt-get install python3-venv"
}

need_network_namespaces() {
    [ "$(uname -s)" = Linux ] || { lacking "Linux (the sandbox runs pods in its namespaces)" "use a Linux machine"; return; }
    [ "$(id -u)" = 0 ] && return
    unshare -Urmn true 2>/dev/null ||
        lacking "root, or user namespaces, for the pods of the sandbox" \
            "run as root, or allow them: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
}

cd "$(dirname "$0")/.." || exit 1
purpose=${1:-build}
case "$purpose" in
    build) need_rust; need_c_compiler; need_python ;;
    lint) need_rust; need_rust_components; need_c_compiler; need_python ;;
    bench) need_rust; need_c_compiler; need_go; need_python ;;
    test | demo) need_rust; need_c_compiler; need_go; need_jdk; need_python venv; need_network_namespaces ;;
    *) echo "usage: $0 build|lint|test|bench|demo" >&2; exit 2 ;;
esac

if [ ${#missing[@]} -gt 0 ]; then
    echo "make $purpose: this machine lacks" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
fi
