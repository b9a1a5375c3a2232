package sandbox.jobs;

import java.util.Locale;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Counts numbers per key, and behaves as its arguments say.
 *
 * <ul>
 *   <li>{@code --mode run}: for ever (the default)
 *   <li>{@code --mode finish --records N}: ends after N numbers
 *   <li>{@code --mode fail --records N}: a task fails at number N, again and again
 *   <li>{@code --mode fail-in-main}: {@code main} throws before there is a job
 *   <li>{@code --rate R}: numbers per second (500), {@code --keys K}: number of keys (16)
 *   <li>{@code --execution-mode BATCH}: as upstream's examples
 * </ul>
 */
public final class Job {
  private Job() {}

  public static void main(String[] arguments) throws Exception {
    run("sandbox-job", "run", new Parameters(arguments));
  }

  /** Runs under a name, in {@code mode} unless the arguments give another one. */
  public static void run(String name, String mode, Parameters parameters) throws Exception {
    Mode chosen = Mode.valueOf(parameters.text("mode", mode).toUpperCase(Locale.ROOT).replace('-', '_'));
    if (chosen == Mode.FAIL_IN_MAIN) {
      throw new IllegalStateException("the job was told to fail in main");
    }
    long records = parameters.number("records", 1_000);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    String execution = parameters.text("execution-mode", "");
    if (!execution.isEmpty()) {
      env.setRuntimeMode(RuntimeExecutionMode.valueOf(execution.toUpperCase(Locale.ROOT)));
    }

    long limit = chosen == Mode.FINISH ? records : Long.MAX_VALUE;
    DataStream<Long> numbers = Numbers.stream(env, limit, parameters.number("rate", 500));
    if (chosen == Mode.FAIL) {
      numbers = numbers.map(new FailAt(records)).uid("fail-at").name("fail-at");
    }
    numbers
        .keyBy(new KeyOf(parameters.number("keys", 16)))
        .map(new CountPerKey())
        .uid("count-per-key")
        .name("count-per-key");
    env.execute(name);
  }

  private enum Mode {
    RUN,
    FINISH,
    FAIL,
    FAIL_IN_MAIN
  }
}
