package sandbox.jobs;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import org.apache.flink.api.common.functions.RuntimeContext;

/**
 * What one task has counted, line by line in a file of its own, for somebody outside of Flink.
 *
 * <p>A line is {@code key count number job subtask/parallelism attempt milliseconds}. It is there, by one write,
 * before the next barrier can come, so a snapshot contains exactly the counts that have a line. A task that is
 * killed leaves at most its last line torn. No task appends to the file of another one: it would be torn in the middle.
 */
final class Journal implements AutoCloseable {
  private final FileOutputStream file;
  private final String writer;

  Journal(String directory, RuntimeContext context) throws IOException, ReflectiveOperationException {
    String job = Tasks.job(context);
    String subtask = (Tasks.index(context) + 1) + "/" + Tasks.parallelism(context);
    writer = " " + job + " " + subtask + " " + Tasks.attempt(context) + " ";
    File folder = Files.createDirectories(new File(directory).toPath()).toFile();
    file = new FileOutputStream(File.createTempFile(job + "-", ".journal", folder));
  }

  void write(long key, long count, long number) throws IOException {
    String line = key + " " + count + " " + number + writer + System.currentTimeMillis() + "\n";
    file.write(line.getBytes(StandardCharsets.US_ASCII));
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
