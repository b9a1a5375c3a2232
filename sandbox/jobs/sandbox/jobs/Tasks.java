package sandbox.jobs;

import org.apache.flink.api.common.functions.RuntimeContext;

/** What a task can learn about itself, in all versions of Flink: 2.0 moved it. */
final class Tasks {
  private Tasks() {}

  static int parallelism(RuntimeContext context) throws ReflectiveOperationException {
    try {
      Object info = RuntimeContext.class.getMethod("getTaskInfo").invoke(context);
      return (int) Class.forName("org.apache.flink.api.common.TaskInfo")
          .getMethod("getNumberOfParallelSubtasks")
          .invoke(info);
    } catch (NoSuchMethodException e) {
      return (int) RuntimeContext.class.getMethod("getNumberOfParallelSubtasks").invoke(context);
    }
  }
}
