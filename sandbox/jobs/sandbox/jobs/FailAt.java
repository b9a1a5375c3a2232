package sandbox.jobs;

import org.apache.flink.api.common.functions.MapFunction;

/** Fails when it meets one number, and again after each restore that leads past it. */
public final class FailAt implements MapFunction<Long, Long> {
  private static final long serialVersionUID = 1;

  private final long fatal;

  public FailAt(long fatal) {
    this.fatal = fatal;
  }

  @Override
  public Long map(Long number) {
    if (number == fatal) {
      throw new IllegalStateException("the job was told to fail at number " + fatal);
    }
    return number;
  }
}
