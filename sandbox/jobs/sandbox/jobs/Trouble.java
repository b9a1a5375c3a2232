package sandbox.jobs;

import java.io.File;
import java.io.Serializable;
import java.lang.reflect.Field;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.runtime.state.filesystem.FsCheckpointStorageLocation;

/** How savepoints go wrong, if they do; checkpoints never. A stop with savepoint takes one, too. */
final class Trouble implements Serializable {
  private static final long serialVersionUID = 1;
  /** How often a task that waits looks whether it still has to. */
  private static final long LOOK_MILLIS = 50;

  /** When a task fails that was told to. */
  enum Failure {
    NEVER,
    SAVING,
    CLOSING
  }

  private final Failure failure;
  private final long takesMillis;
  private final String cause;
  private transient boolean saved;

  /** If a cause is named, there is trouble only as long as that file exists. */
  Trouble(Failure failure, long takesMillis, String cause) {
    this.failure = failure;
    this.takesMillis = takesMillis;
    this.cause = cause;
  }

  /** Is called while a task stores its part of a snapshot. */
  void whileSaving(FunctionSnapshotContext context) throws Exception {
    if (failure == Failure.NEVER && takesMillis == 0 || !isSavepoint(context)) {
      return;
    }
    long end = System.nanoTime() + takesMillis * 1_000_000;
    while (System.nanoTime() < end && persists()) {
      Thread.sleep(LOOK_MILLIS);
    }
    if (failure == Failure.SAVING && persists()) {
      throw new IllegalStateException("the job was told to fail while it takes a savepoint");
    }
    saved = true;
  }

  /** Is called at the end of a task, however it comes to it. */
  void whileClosing() {
    if (failure == Failure.CLOSING && saved && persists()) {
      throw new IllegalStateException("the job was told to fail after it has taken a savepoint");
    }
  }

  private boolean persists() {
    return cause.isEmpty() || new File(cause).exists();
  }

  /** Functions are not told what a snapshot is for; the place where it goes has a telling name. */
  private static boolean isSavepoint(FunctionSnapshotContext context) throws ReflectiveOperationException {
    Field place = context.getClass().getDeclaredField("streamFactory");
    place.setAccessible(true);
    Object location = place.get(context);
    return location instanceof FsCheckpointStorageLocation
        && ((FsCheckpointStorageLocation) location).getCheckpointDirectory().getName().startsWith("savepoint-");
  }
}
