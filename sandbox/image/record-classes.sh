#!/bin/bash
# record-classes.sh OUTPUT REST_PORT RPC_PORT: runs a small job once and stores the classes that Flink's processes load.
#
# Most of a JVM's start is loading classes. From an archive they come ready-made, which halves the time and the work.
set -eu
output=$1 rest=$2 rpc=$3
lists=$(mktemp -d)

settings="jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: $rpc
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
rest.port: $rest
rest.bind-address: 127.0.0.1
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 700m
taskmanager.memory.process.size: 900m
taskmanager.memory.managed.size: 64m
taskmanager.memory.network.min: 32m
taskmanager.memory.network.max: 32m
execution.checkpointing.interval: 200ms
kubernetes.cluster-id: recording
kubernetes.namespace: default"
# Releases before 2.0 read the first, later ones the second.
echo "$settings" >"$FLINK_HOME/conf/flink-conf.yaml"
echo "$settings" >"$FLINK_HOME/conf/config.yaml"

# record NAME SECONDS KIND [arguments]: runs a process for at most so long.
record() {
  JVM_ARGS="-XX:DumpLoadedClassList=$lists/$1.list" timeout --kill-after 5 "$2" "$FLINK_HOME/bin/start-flink.sh" "${@:3}"
}

record worker 60 standalone-taskmanager &
record manager 60 standalone-application --job-classname sandbox.jobs.Job --mode finish --records 1000 --rate 1000 || true
# The worker has written down what it loaded; it ends with this container.

# There is no API server: this ends, or is ended, after it has loaded what it needs to speak to one.
KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=1 record native 6 kubernetes-session || true

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
classpath=$(printf '%s:' "$FLINK_HOME"/lib/*.jar)
# Numbers differ between the lists, and only classes of the class path itself can be stored.
sed -e '/^#/d' -e '/source:/d' -e '/^@/!s/ .*//' "$lists"/*.list | sort -u >"$lists/all"
"$java" -Xshare:dump -Xlog:cds=off -Xlog:cds+class=off -XX:+UseSerialGC -XX:SharedClassListFile="$lists/all" \
  -XX:SharedArchiveFile="$output" -cp "${classpath%:}"
