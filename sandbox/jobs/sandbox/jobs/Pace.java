package sandbox.jobs;

import org.apache.flink.api.common.functions.MapFunction;

/** Lets records through at a steady rate. */
public final class Pace implements MapFunction<Long, Long> {
  private static final long serialVersionUID = 1;

  private final long perSecond;
  private transient long started;
  private transient long passed;

  public Pace(long perSecond) {
    if (perSecond < 1) {
      throw new IllegalArgumentException("--rate must be at least 1 record per second, not " + perSecond);
    }
    this.perSecond = perSecond;
  }

  @Override
  public Long map(Long number) throws Exception {
    if (started == 0) {
      started = System.nanoTime();
    }
    long due = started + passed * 1_000_000_000L / perSecond;
    passed++;
    long early = (due - System.nanoTime()) / 1_000_000;
    if (early > 0) {
      Thread.sleep(early);
    }
    return number;
  }
}
