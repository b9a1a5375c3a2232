package sandbox.jobs;

import java.util.HashMap;
import java.util.Map;

/** The arguments of a job: pairs of {@code --name value}. Names that a job doesn't know are ignored, as upstream's examples do. */
public final class Parameters {
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
}
