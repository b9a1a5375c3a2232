package org.apache.flink.streaming.examples.wordcount;

import sandbox.jobs.Job;
import sandbox.jobs.Parameters;

/** Stands in for Flink's example of this name, so that resources that name its class run here too. */
public final class WordCount {
  private WordCount() {}

  public static void main(String[] arguments) throws Exception {
    Job.run("WordCount", Job.Mode.FINISH, new Parameters(arguments));
  }
}
