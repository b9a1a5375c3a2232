package sandbox.jobs;

import org.apache.flink.api.common.functions.RuntimeContext;

/** What a task can learn about itself, in all versions of Flink: 2.0 moved it. */
final class Tasks {
  private static final String PACKAGE = "org.apache.flink.api.common.";

  private Tasks() {}

  static int parallelism(RuntimeContext context) throws ReflectiveOperationException {
    return (int) ask(context, "TaskInfo", "getNumberOfParallelSubtasks");
  }

  /** Counts from 0. */
  static int index(RuntimeContext context) throws ReflectiveOperationException {
    return (int) ask(context, "TaskInfo", "getIndexOfThisSubtask");
  }

  /** Counts from 0. */
  static int attempt(RuntimeContext context) throws ReflectiveOperationException {
    return (int) ask(context, "TaskInfo", "getAttemptNumber");
  }

  static String job(RuntimeContext context) throws ReflectiveOperationException {
    return ask(context, "JobInfo", "getJobId").toString();
  }

  /** Asks the part of the context that has the answer since 1.19, or else the context itself. */
  private static Object ask(RuntimeContext context, String part, String question) throws ReflectiveOperationException {
    Object info;
    try {
      info = RuntimeContext.class.getMethod("get" + part).invoke(context);
    } catch (NoSuchMethodException e) {
      return RuntimeContext.class.getMethod(question).invoke(context);
    }
    return Class.forName(PACKAGE + part).getMethod(question).invoke(info);
  }
}
