#!/bin/bash
# Starts a JobManager that asks Kubernetes for its TaskManagers; the first argument is the kind of cluster.
exec "$FLINK_HOME/bin/start-flink.sh" "$@"
