package sandbox.jobs;

import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/**
 * Counts the records of each key in keyed state, and tells each count to a journal if there is one.
 *
 * <p>It is a {@link CheckpointedFunction} for its beginning, too: {@code open} differs between versions.
 */
public final class CountPerKey extends RichMapFunction<Long, Long> implements CheckpointedFunction {
  private static final long serialVersionUID = 1;

  private final KeyOf keyOf;
  private final String directory;
  private final Trouble trouble;
  private transient ValueState<Long> count;
  private transient Journal journal;

  /** Without a directory there is no journal. */
  public CountPerKey(KeyOf keyOf, String directory, Trouble trouble) {
    this.keyOf = keyOf;
    this.directory = directory;
    this.trouble = trouble;
  }

  @Override
  public void initializeState(FunctionInitializationContext context) throws Exception {
    count = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("count", Long.class));
    journal = directory.isEmpty() ? null : new Journal(directory, getRuntimeContext());
  }

  @Override
  public Long map(Long number) throws Exception {
    Long before = count.value();
    long now = before == null ? 1 : before + 1;
    count.update(now);
    if (journal != null) {
      journal.write(keyOf.getKey(number), now, number);
    }
    return now;
  }

  @Override
  public void snapshotState(FunctionSnapshotContext context) throws Exception {
    trouble.whileSaving(context);
  }

  @Override
  public void close() throws Exception {
    if (journal != null) {
      journal.close();
    }
    trouble.whileClosing();
  }
}
