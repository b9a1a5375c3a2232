#!/bin/bash
# Starts a TaskManager that a JobManager asked Kubernetes for.
exec "$FLINK_HOME/bin/start-flink.sh" kubernetes-taskmanager "$@"
