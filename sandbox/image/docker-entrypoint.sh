#!/bin/bash
# Stands in for the entry point of the Flink image: knows the same words, runs anything else as it is.
set -e
case "${1:-}" in
  jobmanager) shift; exec "$FLINK_HOME/bin/start-flink.sh" standalone-session "$@" ;;
  standalone-job) shift; exec "$FLINK_HOME/bin/start-flink.sh" standalone-application "$@" ;;
  taskmanager) shift; exec "$FLINK_HOME/bin/start-flink.sh" standalone-taskmanager "$@" ;;
  "" | help)
    echo "usage: docker-entrypoint.sh jobmanager|standalone-job|taskmanager [arguments], or any command"
    ;;
  *) exec "$@" ;;
esac
