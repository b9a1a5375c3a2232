package sandbox.jobs;

import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;

/** Counts the records of each key in keyed state. The state is fetched on first use: {@code open} differs between versions. */
public final class CountPerKey extends RichMapFunction<Long, Long> {
  private static final long serialVersionUID = 1;

  private transient ValueState<Long> count;

  @Override
  public Long map(Long number) throws Exception {
    if (count == null) {
      count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
    }
    Long before = count.value();
    long now = before == null ? 1 : before + 1;
    count.update(now);
    return now;
  }
}
