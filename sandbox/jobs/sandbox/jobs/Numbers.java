package sandbox.jobs;

import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The source of all jobs: the numbers from 0 on, at a steady rate.
 *
 * <p>It is replayable: after a restore it goes on at the number where the snapshot was. It is one task whatever
 * the parallelism of the job, so the numbers of a key come in order, and each count belongs to one number. The
 * rate is held in front of any shuffle, because a slow operator behind one fills the buffers and delays checkpoints.
 */
final class Numbers {
  private Numbers() {}

  /** Without a limit, {@code records} is {@link Long#MAX_VALUE}. */
  static DataStream<Long> stream(StreamExecutionEnvironment env, long records, long perSecond) {
    long last = records == Long.MAX_VALUE ? Long.MAX_VALUE - 1 : records - 1;
    return env.fromSequence(0, last)
        .setParallelism(1)
        .uid("numbers")
        .name("numbers")
        .map(new Pace(perSecond))
        .setParallelism(1)
        .uid("pace")
        .name("pace");
  }
}
