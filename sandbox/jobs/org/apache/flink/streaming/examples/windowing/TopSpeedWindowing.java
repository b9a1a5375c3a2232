package org.apache.flink.streaming.examples.windowing;

import sandbox.jobs.Job;
import sandbox.jobs.Parameters;

/** Stands in for Flink's example of this name, so that resources that name its class run here too. */
public final class TopSpeedWindowing {
  private TopSpeedWindowing() {}

  public static void main(String[] arguments) throws Exception {
    Job.run("CarTopSpeedWindowingExample", Job.Mode.RUN, new Parameters(arguments));
  }
}
