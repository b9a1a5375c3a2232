package sandbox.jobs;

import java.util.Locale;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Counts numbers per key, in state that outlives the job in a savepoint, and behaves as its arguments say.
 *
 * <ul>
 *   <li>{@code --mode run}: for ever (the default)
 *   <li>{@code --mode finish --records N}: ends after N numbers
 *   <li>{@code --mode fail --records N}: a task fails at number N, again and again
 *   <li>{@code --mode fail-in-main}: {@code main} throws before there is a job
 *   <li>{@code --rate R}: numbers per second (500), {@code --keys K}: number of keys (16)
 *   <li>{@code --journal DIRECTORY}: each count is written there, see {@link Journal}
 *   <li>{@code --stop-fails saving}: a task fails while it takes a savepoint
 *   <li>{@code --stop-fails closing}: a task fails at its end, after it has taken a savepoint
 *   <li>{@code --snapshot-takes '20 s'}: a savepoint takes so long
 *   <li>{@code --trouble-while FILE}: the last three hold only as long as this file exists
 *   <li>{@code --execution-mode BATCH}: as upstream's examples
 * </ul>
 */
public final class Job {
  private static final int MAX_PARALLELISM = 128;

  private Job() {}

  public static void main(String[] arguments) throws Exception {
    run("sandbox-job", Mode.RUN, new Parameters(arguments));
  }

  /** Runs under a name, in {@code mode} unless the arguments give another one. */
  public static void run(String name, Mode mode, Parameters parameters) throws Exception {
    Mode chosen = parameters.choice("mode", mode);
    if (chosen == Mode.FAIL_IN_MAIN) {
      throw new IllegalStateException("the job was told to fail in main");
    }
    long records = parameters.number("records", 1_000);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    String execution = parameters.text("execution-mode", "");
    if (!execution.isEmpty()) {
      env.setRuntimeMode(RuntimeExecutionMode.valueOf(execution.toUpperCase(Locale.ROOT)));
    }
    // State is stored in so many parts: fixed, so that no parallelism makes a savepoint useless.
    env.setMaxParallelism(MAX_PARALLELISM);

    long limit = chosen == Mode.FINISH ? records : Long.MAX_VALUE;
    DataStream<Long> numbers = Numbers.stream(env, limit, parameters.number("rate", 500));
    if (chosen == Mode.FAIL) {
      numbers = numbers.map(new FailAt(records)).setParallelism(1).uid("fail-at").name("fail-at");
    }
    Trouble trouble =
        new Trouble(
            parameters.choice("stop-fails", Trouble.Failure.NEVER),
            parameters.milliseconds("snapshot-takes", 0),
            parameters.text("trouble-while", ""));
    KeyOf keyOf = new KeyOf(parameters.number("keys", 16));
    numbers
        .keyBy(keyOf)
        .map(new CountPerKey(keyOf, parameters.text("journal", ""), trouble))
        .uid("count-per-key")
        .name("count-per-key");
    env.execute(name);
  }

  /** What becomes of a job. */
  public enum Mode {
    RUN,
    FINISH,
    FAIL,
    FAIL_IN_MAIN
  }
}
