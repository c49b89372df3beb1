// worker.ts NAMESPACE/NAME: works on one JobRun, with the official Kubernetes client. Put your work into work().
//
// Exit codes: 0 done; 1 the work failed; 65 the run is over, fenced or cancelled; 66 no such run; 69 no answer; 73
// claimed by, or assigned to, another worker; 77 forbidden; 143 handed back because of SIGTERM.
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiException, CustomObjectsApi, KubeConfig, Observable, PatchStrategy } from "@kubernetes/client-node";
import type { ConfigurationOptions, RequestContext } from "@kubernetes/client-node";

interface JobRun {
  metadata: { resourceVersion: string; uid: string };
  spec: {
    heartbeat?: { intervalSeconds?: number; timeoutSeconds?: number };
    cancelled?: boolean;
    assignedTo?: string;
    payload?: { steps?: number; stepSeconds?: number; failAt?: number };
  };
  status?: { phase?: string; claimedBy?: string; claimedAt?: string };
}

// Yields its progress after every step: work that hangs yields nothing, and then nobody beats for it.
async function* work({ steps = 60, stepSeconds = 1, failAt = 0 }: NonNullable<JobRun["spec"]["payload"]>) {
  for (let step = 1; step <= steps; step++) {
    await sleep(stepSeconds * 1000);
    if (step === failAt) throw new Error(`step ${step} failed`);
    yield `${step}/${steps}`;
  }
}

class Run {
  cancelled = false;
  private uid = "";
  private interval = 30_000;
  private timeout = 150_000;
  private requestTimeout = 5_000;
  private acceptedAt = 0;
  private nextBeatAt = 0;
  private readonly where;

  constructor(private readonly api: CustomObjectsApi, namespace: string, name: string, private readonly worker: string) {
    this.where = { group: "jobrun.dev", version: "v1", plural: "jobruns", namespace, name };
  }

  // The code of the answer, 0 without one, and the run as it is now, or what went wrong.
  private async request(send: (options: ConfigurationOptions) => Promise<JobRun>, kind?: PatchStrategy) {
    // Not AbortSignal.timeout(): Node would not wait for it, and would end when a cut connection is all that is left.
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.requestTimeout);
    const middleware = {
      pre: (request: RequestContext) => {
        request.setSignal(deadline.signal);
        if (kind) request.setHeaderParam("Content-Type", kind);
        return new Observable(Promise.resolve(request));
      },
      post: (response: any) => new Observable<any>(Promise.resolve(response)),
    };
    try {
      return { code: 200, run: await send({ middleware: [middleware], middlewareMergeStrategy: "append" }), why: "" };
    } catch (error) {
      return { code: error instanceof ApiException ? error.code : 0, run: undefined, why: String(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  private async patch(kind: PatchStrategy, body: object) {
    const sentAt = performance.now();
    const send = (options: ConfigurationOptions) => this.api.patchNamespacedCustomObjectStatus({ ...this.where, body }, options);
    const answer = await this.request(send, kind);
    if (answer.run) {
      this.acceptedAt = sentAt;
      this.cancelled = answer.run.spec.cancelled ?? false;
    }
    return answer;
  }

  async claim() {
    const claimedAt = now(); // Once: a claim whose answer was lost is seen to be ours.
    let answer;
    for (let tries = 0; tries < 5; tries++) {
      answer = await this.request((options) => this.api.getNamespacedCustomObject(this.where, options));
      if (answer.run) {
        const { phase = "Pending", claimedBy, claimedAt: since } = answer.run.status ?? {};
        if (phase !== "Pending" && phase !== "Running") stop(65, `the run is over: ${phase}`);
        if (claimedBy && (claimedBy !== this.worker || since !== claimedAt)) stop(73, `claimed by ${claimedBy} since ${since}`);
        const { assignedTo = this.worker } = answer.run.spec;
        if (assignedTo !== this.worker) stop(73, `assigned to ${assignedTo}`);
        // The guard: of two workers that have read this version, one gets a 409, and reads again.
        const { resourceVersion } = answer.run.metadata;
        const status = { phase: "Running", claimedAt, claimedBy: this.worker };
        answer = await this.patch(PatchStrategy.MergePatch, { metadata: { resourceVersion }, status });
      }
      if (answer.run) {
        this.uid = answer.run.metadata.uid;
        const { intervalSeconds = 30, timeoutSeconds = 150 } = answer.run.spec.heartbeat ?? {};
        this.interval = intervalSeconds * 1000;
        this.timeout = timeoutSeconds * 1000;
        this.requestTimeout = Math.min(5_000, this.interval / 3);
        this.nextBeatAt = this.acceptedAt + this.interval;
        return answer.run.spec.payload ?? {};
      }
      if (answer.code === 404) stop(66, answer.why);
      if (answer.code === 401 || answer.code === 403) stop(77, answer.why);
      await sleep(1_000);
    }
    return stop(69, `can't claim the run: ${answer?.why}`);
  }

  // Whether it was accepted. What was not may be accepted later, unless the run is no longer ours: a new run of this
  // name, and one that another worker has claimed, refuse it.
  private async report(status: object) {
    const { code, why } = await this.patch(PatchStrategy.JsonPatch, [
      { op: "test", path: "/metadata/uid", value: this.uid },
      { op: "test", path: "/status/claimedBy", value: this.worker },
      ...Object.entries(status).map(([key, value]) => ({ op: "add", path: `/status/${key}`, value })),
    ]);
    if (code === 404 || code === 422) stop(65, `fenced: ${why}`);
    if (code !== 200) {
      log(`not accepted: ${why}`);
      this.stopIfSilent();
    }
    return code === 200;
  }

  // Beats once in an interval, whatever became of the beat before.
  async beat(progress: string) {
    if (performance.now() >= this.nextBeatAt) {
      this.nextBeatAt = performance.now() + this.interval;
      await this.report({ lastHeartbeatAt: now(), progress });
    }
    this.stopIfSilent();
  }

  private stopIfSilent() {
    if (performance.now() - this.acceptedAt >= this.timeout) {
      stop(65, `fenced: nothing was accepted for ${this.timeout} ms, so somebody else may be doing the work`);
    }
  }

  // Sends what must arrive until it does.
  async record(status: object) {
    while (!(await this.report(status))) await sleep(this.interval);
  }
}

const now = () => new Date().toISOString();

const log = (text: string) => console.error(`${now()} ${text}`);

// Ends the worker, and with it the work, whatever it is at.
function stop(code: number, why: string): never {
  log(why);
  process.exit(code);
}

let terminated = false;
process.on("SIGTERM", () => (terminated = true));

const config = new KubeConfig();
config.loadFromDefault(); // A kubeconfig, or the pod's service account.
const worker = process.env.POD_NAME ?? `${hostname()}-${process.pid}`;
const [namespace, name] = process.argv[2].split("/");
const run = new Run(config.makeApiClient(CustomObjectsApi), namespace, name, worker);

const payload = await run.claim();
log(`claimed as ${worker}`);
let exitCode = 0;
let end = {};
try {
  for await (const progress of work(payload)) {
    await run.beat(progress);
    if (run.cancelled || terminated) {
      const reason = run.cancelled ? "Cancelled" : "HandedBack";
      await run.record({ phase: "Failed", reason, completionTime: now() });
      stop(run.cancelled ? 65 : 143, reason);
    }
  }
} catch (error) {
  exitCode = 1;
  end = { reason: "WorkFailed", message: String(error) };
}
await run.record({ exitCode, exitTime: now() });
await run.record({ phase: exitCode ? "Failed" : "Succeeded", ...end, completionTime: now() });
stop(exitCode, `ended with ${exitCode}`);
