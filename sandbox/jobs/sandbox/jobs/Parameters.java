package sandbox.jobs;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The arguments of a job: pairs of {@code --name value}. Names that a job doesn't know are ignored, as upstream's examples do. */
public final class Parameters {
  private static final Pattern DURATION = Pattern.compile("(\\d+) ?(ms|s|min)");

  private final Map<String, String> values = new HashMap<>();

  public Parameters(String[] arguments) {
    for (int i = 0; i < arguments.length; i++) {
      if (!arguments[i].startsWith("-")) {
        throw new IllegalArgumentException("expected --name, found '" + arguments[i] + "'");
      }
      String name = arguments[i].replaceFirst("^--?", "");
      boolean hasValue = i + 1 < arguments.length && !arguments[i + 1].startsWith("--");
      values.put(name, hasValue ? arguments[++i] : "");
    }
  }

  public String text(String name, String otherwise) {
    return values.getOrDefault(name, otherwise);
  }

  public long number(String name, long otherwise) {
    String text = values.get(name);
    if (text == null) {
      return otherwise;
    }
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("--" + name + " must be a whole number, not '" + text + "'", e);
    }
  }

  /** Reads a time as Flink's configuration has it, in milliseconds. */
  public long milliseconds(String name, long otherwise) {
    String text = values.get(name);
    if (text == null) {
      return otherwise;
    }
    Matcher parts = DURATION.matcher(text);
    if (!parts.matches()) {
      throw new IllegalArgumentException("--" + name + " must be a time such as '20 s', not '" + text + "'");
    }
    long amount = Long.parseLong(parts.group(1));
    switch (parts.group(2)) {
      case "ms":
        return amount;
      case "s":
        return amount * 1_000;
      default:
        return amount * 60_000;
    }
  }

  /** Reads one of the constants of an enum, in lower case and with hyphens. */
  public <T extends Enum<T>> T choice(String name, T otherwise) {
    String text = values.get(name);
    if (text == null) {
      return otherwise;
    }
    for (T constant : otherwise.getDeclaringClass().getEnumConstants()) {
      if (constant.name().toLowerCase(Locale.ROOT).replace('_', '-').equals(text)) {
        return constant;
      }
    }
    throw new IllegalArgumentException("--" + name + " has no such value: '" + text + "'");
  }
}
