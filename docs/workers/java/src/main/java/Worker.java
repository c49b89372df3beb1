import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.RequestConfigBuilder;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import java.net.InetAddress;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;

/**
 * Worker NAMESPACE/NAME: works on one JobRun, with the fabric8 client. Put your work into work().
 *
 * <p>Exit codes: 0 done; 1 the work failed; 65 the run is over, fenced or cancelled; 66 no such run; 69 no answer; 73
 * claimed by, or assigned to, another worker; 77 forbidden; 143 handed back because of SIGTERM.
 */
public final class Worker {
  private static final DateTimeFormatter MICROSECONDS =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);
  private static final ResourceDefinitionContext JOBRUNS = new ResourceDefinitionContext.Builder()
      .withGroup("jobrun.dev").withVersion("v1").withKind("JobRun").withPlural("jobruns").withNamespaced(true).build();
  private static final CountDownLatch finished = new CountDownLatch(1);
  private static volatile boolean terminated;

  /** Tells its progress after every step: work that hangs tells none, and then nobody beats for it. */
  private static void work(GenericKubernetesResource run, Consumer<String> beat) throws Exception {
    int steps = number(run, 60, "spec", "payload", "steps").intValue();
    for (int step = 1; step <= steps; step++) {
      Thread.sleep((long) (1000 * number(run, 1, "spec", "payload", "stepSeconds").doubleValue()));
      if (step == number(run, 0, "spec", "payload", "failAt").intValue()) throw new Exception("step " + step + " failed");
      beat.accept(step + "/" + steps);
    }
  }

  private final KubernetesClient client;
  private final String namespace, name, worker;
  private Resource<GenericKubernetesResource> resource;
  private String uid;
  private long interval, timeout, acceptedAt, nextBeatAt; // Milliseconds.
  private boolean cancelled;

  private Worker(KubernetesClient client, String namespace, String name, String worker) {
    this.client = client;
    this.namespace = namespace;
    this.name = name;
    this.worker = worker;
    limitRequests(5_000);
  }

  /** Left alone, a request may take ten seconds, and is sent ten times more. */
  private void limitRequests(long milliseconds) {
    var limits = new RequestConfigBuilder().withRequestTimeout((int) milliseconds).withRequestRetryBackoffLimit(0).build();
    resource = client.newClient(limits).adapt(KubernetesClient.class)
        .genericKubernetesResources(JOBRUNS).inNamespace(namespace).withName(name);
  }

  private GenericKubernetesResource patch(PatchType kind, Object patch) {
    long sentAt = clock();
    String body = client.getKubernetesSerialization().asJson(patch);
    var run = resource.subresource("status").patch(PatchContext.of(kind), body);
    acceptedAt = sentAt;
    cancelled = Boolean.TRUE.equals(run.get("spec", "cancelled"));
    return run;
  }

  private GenericKubernetesResource claim() {
    String claimedAt = now(); // Once: a claim whose answer was lost is seen to be ours.
    String trouble = "";
    for (int tries = 0; tries < 5; tries++, pause(1_000)) {
      try {
        var run = resource.get();
        if (run == null) stop(66, "no such run");
        String phase = run.get("status", "phase"), owner = run.get("status", "claimedBy"), since = run.get("status", "claimedAt");
        if (phase != null && !phase.equals("Pending") && !phase.equals("Running")) stop(65, "the run is over: " + phase);
        if (owner != null && !(owner.equals(worker) && since.equals(claimedAt))) stop(73, "claimed by " + owner + " since " + since);
        String assigned = run.get("spec", "assignedTo");
        if (assigned != null && !assigned.equals(worker)) stop(73, "assigned to " + assigned);
        // The guard: of two workers that have read this version, one gets a 409, and reads again.
        var guard = Map.of("resourceVersion", run.getMetadata().getResourceVersion());
        var claim = Map.of("phase", "Running", "claimedAt", claimedAt, "claimedBy", worker);
        run = patch(PatchType.JSON_MERGE, Map.of("metadata", guard, "status", claim));
        uid = run.getMetadata().getUid();
        interval = 1000 * number(run, 30, "spec", "heartbeat", "intervalSeconds").longValue();
        timeout = 1000 * number(run, 150, "spec", "heartbeat", "timeoutSeconds").longValue();
        nextBeatAt = acceptedAt + interval;
        limitRequests(Math.min(5_000, interval / 3));
        return run;
      } catch (KubernetesClientException error) {
        trouble = why(error);
        if (error.getCode() == 404) stop(66, trouble);
        if (error.getCode() == 401 || error.getCode() == 403) stop(77, trouble);
      }
    }
    throw stop(69, "can't claim the run: " + trouble);
  }

  /**
   * Whether it was accepted. What was not may be accepted later, unless the run is no longer ours: a new run of this
   * name, and one that another worker has claimed, refuse it.
   */
  private boolean report(Map<String, Object> status) {
    List<Map<String, Object>> operations = new ArrayList<>();
    operations.add(Map.of("op", "test", "path", "/metadata/uid", "value", uid));
    operations.add(Map.of("op", "test", "path", "/status/claimedBy", "value", worker));
    status.forEach((key, value) -> operations.add(Map.of("op", "add", "path", "/status/" + key, "value", value)));
    try {
      patch(PatchType.JSON, operations);
      return true;
    } catch (KubernetesClientException error) {
      if (error.getCode() == 404 || error.getCode() == 422) stop(65, "fenced: " + why(error));
      log("not accepted: " + why(error));
      stopIfSilent();
      return false;
    }
  }

  /** Called after every step. Beats once in an interval, whatever became of the beat before. */
  private void beat(String progress) {
    if (clock() >= nextBeatAt) {
      nextBeatAt = clock() + interval;
      report(Map.of("lastHeartbeatAt", now(), "progress", progress));
    }
    stopIfSilent();
    if (cancelled || terminated) {
      String reason = cancelled ? "Cancelled" : "HandedBack";
      record(Map.of("phase", "Failed", "reason", reason, "completionTime", now()));
      stop(cancelled ? 65 : 143, reason);
    }
  }

  private void stopIfSilent() {
    if (clock() - acceptedAt < timeout) return;
    stop(65, "fenced: nothing was accepted for " + timeout + " ms, so somebody else may be doing the work");
  }

  /** Sends what must arrive until it does. */
  private void record(Map<String, Object> status) {
    while (!report(status)) pause(interval);
  }

  private static Number number(GenericKubernetesResource run, Number otherwise, Object... path) {
    Number value = run.get(path);
    return value == null ? otherwise : value;
  }

  private static long clock() {
    return System.nanoTime() / 1_000_000;
  }

  private static String now() {
    return MICROSECONDS.format(Instant.now());
  }

  private static void log(String text) {
    System.err.println(now() + " " + text);
  }

  private static String why(Throwable error) {
    return error.getCause() == null ? error.getMessage() : error.getMessage() + " " + error.getCause();
  }

  private static void pause(long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException error) {
      stop(1, error.toString());
    }
  }

  /** Ends the worker, and with it the work, whatever it is at. Never returns. */
  private static AssertionError stop(int code, String why) {
    log(why);
    finished.countDown(); // Before the exit, which waits for the hook below.
    System.exit(code);
    return new AssertionError();
  }

  private static void onTermination() {
    terminated = true;
    try {
      finished.await(); // SIGTERM ends the JVM, with 143, when this returns.
    } catch (InterruptedException error) {
      log(error.toString());
    }
  }

  public static void main(String[] args) throws Exception {
    Thread.setDefaultUncaughtExceptionHandler((thread, error) -> stop(1, why(error)));
    Runtime.getRuntime().addShutdownHook(new Thread(Worker::onTermination));
    String pod = System.getenv("POD_NAME");
    String worker = pod != null ? pod : InetAddress.getLocalHost().getHostName() + "-" + ProcessHandle.current().pid();
    String[] target = args[0].split("/");
    var client = new KubernetesClientBuilder().build(); // A kubeconfig, or the pod's service account.
    var run = new Worker(client, target[0], target[1], worker);

    var claimed = run.claim();
    log("claimed as " + worker);
    Map<String, Object> end = new HashMap<>(Map.of("phase", "Succeeded"));
    int exitCode = 0;
    try {
      work(claimed, run::beat);
    } catch (Exception error) {
      exitCode = 1;
      end.putAll(Map.of("phase", "Failed", "reason", "WorkFailed", "message", error.toString()));
    }
    run.record(Map.of("exitCode", exitCode, "exitTime", now()));
    end.put("completionTime", now());
    run.record(end);
    stop(exitCode, "ended with " + exitCode);
  }
}
