package sandbox.jobs;

import org.apache.flink.api.java.functions.KeySelector;

/** Spreads numbers over a fixed set of keys. */
public final class KeyOf implements KeySelector<Long, Long> {
  private static final long serialVersionUID = 1;

  private final long keys;

  public KeyOf(long keys) {
    this.keys = keys;
  }

  @Override
  public Long getKey(Long number) {
    return number % keys;
  }
}
