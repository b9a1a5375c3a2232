#!/bin/bash
# start-flink.sh KIND [arguments]: becomes one Flink process.
set -u
# The first process of a container does not hear signals it has no handler for.
trap 'exit 143' TERM

kind=${1:?start-flink.sh needs a kind of process}
shift
: "${FLINK_HOME:=/opt/flink}"
export FLINK_CONF_DIR=${FLINK_CONF_DIR:-$FLINK_HOME/conf} FLINK_LOG_DIR=${FLINK_LOG_DIR:-$FLINK_HOME/log}
export FLINK_BIN_DIR=$FLINK_HOME/bin FLINK_LIB_DIR=$FLINK_HOME/lib
export FLINK_OPT_DIR=$FLINK_HOME/opt FLINK_PLUGINS_DIR=$FLINK_HOME/plugins

die() {
  echo "start-flink.sh: $*" >&2
  exit 1
}

# Prints every setting of a YAML file as "key<TAB>value": nested maps become dotted keys.
# Lists and block texts are passed over: no setting that is needed here has them.
settings() {
  local line key value blanks depth=0 path
  local -a keys=() columns=()
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line =~ ^(\ *)([^\ \#:-][^:]*):([[:space:]]+(.*))?$ ]] || continue
    blanks=${#BASH_REMATCH[1]} key=${BASH_REMATCH[2]} value=${BASH_REMATCH[4]}
    while ((depth > 0 && columns[depth - 1] >= blanks)); do ((depth -= 1)); done
    keys[depth]=${key//[\'\"]/} columns[depth]=$blanks
    ((depth += 1))
    [[ -n $value ]] || continue
    if [[ $value =~ ^\'(.*)\'[[:space:]]*$ ]]; then
      value=${BASH_REMATCH[1]//\'\'/\'}
    elif [[ $value =~ ^\"(.*)\"[[:space:]]*$ ]]; then
      value=${BASH_REMATCH[1]}
    fi
    path=$(IFS=. && echo "${keys[*]:0:depth}")
    printf '%s\t%s\n' "$path" "$value"
  done <"$1"
}

configuration=
for name in config.yaml flink-conf.yaml; do
  if [[ -f $FLINK_CONF_DIR/$name ]]; then
    configuration=$(grep -v '^[[:space:]]*#' "$FLINK_CONF_DIR/$name" | settings /dev/stdin)
    break
  fi
done

# Prints the value of a setting, or nothing.
setting() {
  local key value
  while IFS=$'\t' read -r key value; do
    if [[ $key == "$1" ]]; then
      printf '%s' "$value"
      return
    fi
  done <<<"$configuration"
}

package=org.apache.flink
config_dir=(--configDir "$FLINK_CONF_DIR")
case $kind in
  kubernetes-application | kubernetes-session)
    role=jobmanager resources=GET_JM_RESOURCE_PARAMS
    # These two take their directory from the environment and stop reading -D options at an unknown one.
    config_dir=()
    class=KubernetesApplicationClusterEntrypoint
    [[ $kind == kubernetes-session ]] && class=KubernetesSessionClusterEntrypoint
    class=$package.kubernetes.entrypoint.$class
    ;;
  kubernetes-taskmanager)
    role=taskmanager resources=GET_TM_RESOURCE_PARAMS
    class=$package.kubernetes.taskmanager.KubernetesTaskExecutorRunner
    ;;
  standalone-application)
    role=jobmanager resources=GET_JM_RESOURCE_PARAMS
    class=$package.container.entrypoint.StandaloneApplicationClusterEntryPoint
    ;;
  standalone-session)
    role=jobmanager resources=GET_JM_RESOURCE_PARAMS
    class=$package.runtime.entrypoint.StandaloneSessionClusterEntrypoint
    ;;
  standalone-taskmanager)
    role=taskmanager resources=GET_TM_RESOURCE_PARAMS
    class=$package.runtime.taskexecutor.TaskManagerRunner
    ;;
  *) die "unknown kind of process '$kind'" ;;
esac

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
classpath=$(printf '%s:' "$FLINK_LIB_DIR"/*.jar)
classpath=${classpath%:}

# Memory. A JobManager has told its TaskManagers already.
memory=${FLINK_TM_JVM_MEM_OPTS:-}
dynamic=
if [[ $kind != kubernetes-taskmanager || -z $memory ]]; then
  tools=$FLINK_BIN_DIR/bash-java-utils.jar:$(printf '%s:' "$FLINK_LIB_DIR"/flink-dist*.jar "$FLINK_LIB_DIR"/log4j-*.jar)
  answer=$("$java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$tools" \
    "$package.runtime.util.bash.BashJavaUtils" $resources --configDir "$FLINK_CONF_DIR" "$@" 2>&1)
  results=$(sed -n 's/^.*BASH_JAVA_UTILS_EXEC_RESULT://p' <<<"$answer")
  memory=$(sed -n 1p <<<"$results")
  dynamic=$(sed -n 2p <<<"$results")
  [[ -n $memory ]] || die "cannot compute the memory of the $role: $answer"
fi

options="$(setting env.java.default-opts.all) $(setting env.java.opts.all) $(setting env.java.opts)"
options+=" $(setting env.java.default-opts.$role) $(setting env.java.opts.$role) ${JVM_ARGS:-}"
# Java 17 needs doors opened. From 1.18 on the configuration does that; older images carry Java 11, this one does not.
if [[ $options != *--add-opens* ]]; then
  options+=" --add-exports=java.base/sun.net.util=ALL-UNNAMED"
  for name in lang lang.reflect net io nio text time util util.concurrent util.concurrent.atomic; do
    options+=" --add-opens=java.base/java.$name=ALL-UNNAMED"
  done
  options+=" --add-opens=java.base/sun.nio.ch=ALL-UNNAMED"
fi
# A person waits for the start, nobody for the last bit of throughput.
[[ $options == *-XX:+Use*GC* ]] || options+=" -XX:+UseSerialGC"
[[ $options == *TieredCompilation* || $options == *TieredStopAtLevel* ]] || options+=" -XX:TieredStopAtLevel=1"

# Classes that were prepared when the image was made; a JVM that cannot use them goes on without.
archive=$FLINK_HOME/share/classes.jsa
[[ -f $archive ]] && options+=" -XX:SharedArchiveFile=$archive -Xshare:auto -Xlog:cds=off"
# A JobManager that asks for its own resource manager a moment too early waits for so many milliseconds, 10000 by
# default. Without a unit: Flink 1.15 reads no other form.
[[ $role == jobmanager && $configuration != *cluster.registration.error-delay* ]] && dynamic+=" -Dcluster.registration.error-delay=500"

logging=$FLINK_CONF_DIR/log4j-console.properties
[[ -f $logging ]] || logging=$FLINK_HOME/share/log4j-console.properties
log=$FLINK_LOG_DIR/flink-$kind-${HOSTNAME:-local}.log
mkdir -p "$FLINK_LOG_DIR"

# The options are words by intention: the configuration holds them as one text.
# shellcheck disable=SC2086
exec "$java" $memory $options "-Dlog.file=$log" "-Dlog4j.configuration=file:$logging" \
  "-Dlog4j.configurationFile=file:$logging" "-Dlogback.configurationFile=file:$FLINK_CONF_DIR/logback-console.xml" \
  -classpath "$classpath" "$class" ${config_dir[@]+"${config_dir[@]}"} $dynamic "$@"
