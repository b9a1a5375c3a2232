package org.apache.flink.streaming.examples.statemachine;

import sandbox.jobs.Job;
import sandbox.jobs.Parameters;

/** Stands in for Flink's example of this name, so that resources that name its class run here too. */
public final class StateMachineExample {
  private StateMachineExample() {}

  public static void main(String[] arguments) throws Exception {
    Job.run("State machine job", Job.Mode.RUN, new Parameters(arguments));
  }
}
