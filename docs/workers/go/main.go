// Worker works on one JobRun, with client-go's dynamic client: worker NAMESPACE/NAME. Put your work into work().
//
// Exit codes: 0 done; 1 the work failed; 65 the run is over, fenced or cancelled; 66 no such run; 69 no answer; 73
// claimed by, or assigned to, another worker; 77 forbidden; 143 handed back because of SIGTERM.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

type payload struct{ Steps, StepSeconds, FailAt float64 }

// work calls beat with its progress after every step: work that hangs does not come there, and nobody beats for it.
func work(p payload, beat func(progress string)) error {
	for step := 1.0; step <= p.Steps; step++ {
		time.Sleep(seconds(p.StepSeconds))
		if step == p.FailAt {
			return fmt.Errorf("step %v failed", step)
		}
		beat(fmt.Sprintf("%v/%v", step, p.Steps))
	}
	return nil
}

// A jobRun is what this worker reads of the object.
type jobRun struct {
	Metadata struct{ ResourceVersion, UID string }
	Spec     struct {
		Heartbeat  struct{ IntervalSeconds, TimeoutSeconds float64 }
		Cancelled  bool
		AssignedTo string
		Payload    payload
	}
	Status struct{ Phase, ClaimedBy, ClaimedAt string }
}

type fields = map[string]any

type worker struct {
	runs                              dynamic.ResourceInterface
	run, uid, name                    string
	interval, timeout, requestTimeout time.Duration
	acceptedAt, nextBeatAt            time.Time
	cancelled                         bool
}

// request patches the run's status, or reads the run when there is no patch.
func (w *worker) request(kind types.PatchType, patch any) (run jobRun, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.requestTimeout)
	defer cancel()
	var object *unstructured.Unstructured
	sentAt := time.Now()
	if text, _ := json.Marshal(patch); patch != nil {
		object, err = w.runs.Patch(ctx, w.run, kind, text, metav1.PatchOptions{}, "status")
	} else {
		object, err = w.runs.Get(ctx, w.run, metav1.GetOptions{})
	}
	if err != nil {
		return run, err
	}
	run.Spec.Heartbeat.IntervalSeconds, run.Spec.Heartbeat.TimeoutSeconds = 30, 150
	run.Spec.Payload = payload{Steps: 60, StepSeconds: 1}
	text, _ := object.MarshalJSON()
	err = json.Unmarshal(text, &run)
	w.cancelled = run.Spec.Cancelled
	if patch != nil {
		w.acceptedAt = sentAt
	}
	return run, err
}

// claim takes the time once: a claim whose answer was lost is seen to be ours.
func (w *worker) claim() payload {
	var err error
	for claimedAt, tries := now(), 5; tries > 0; tries-- {
		var run jobRun
		if run, err = w.request("", nil); err == nil {
			status := run.Status
			if phase := cmp.Or(status.Phase, "Pending"); phase != "Pending" && phase != "Running" {
				stop(65, "the run is over: %s", phase)
			}
			if status.ClaimedBy != "" && (status.ClaimedBy != w.name || status.ClaimedAt != claimedAt) {
				stop(73, "claimed by %s since %s", status.ClaimedBy, status.ClaimedAt)
			}
			if assigned := cmp.Or(run.Spec.AssignedTo, w.name); assigned != w.name {
				stop(73, "assigned to %s", assigned)
			}
			// The guard: of two workers that have read this version, one gets a 409, and reads again.
			guard := fields{"resourceVersion": run.Metadata.ResourceVersion}
			claim := fields{"phase": "Running", "claimedAt": claimedAt, "claimedBy": w.name}
			run, err = w.request(types.MergePatchType, fields{"metadata": guard, "status": claim})
		}
		switch {
		case err == nil:
			w.uid = run.Metadata.UID
			heartbeat := run.Spec.Heartbeat
			w.interval, w.timeout = seconds(heartbeat.IntervalSeconds), seconds(heartbeat.TimeoutSeconds)
			w.requestTimeout, w.nextBeatAt = min(5*time.Second, w.interval/3), w.acceptedAt.Add(w.interval)
			return run.Spec.Payload
		case apierrors.IsNotFound(err):
			stop(66, "%v", err)
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
			stop(77, "%v", err)
		}
		time.Sleep(time.Second)
	}
	stop(69, "can't claim the run: %v", err)
	return payload{}
}

// report tells whether it was accepted. What was not may be accepted later, unless the run is no longer ours: a new run
// of this name, and one that another worker has claimed, refuse it.
func (w *worker) report(status fields) bool {
	patch := []fields{
		{"op": "test", "path": "/metadata/uid", "value": w.uid},
		{"op": "test", "path": "/status/claimedBy", "value": w.name},
	}
	for key, value := range status {
		patch = append(patch, fields{"op": "add", "path": "/status/" + key, "value": value})
	}
	_, err := w.request(types.JSONPatchType, patch)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		stop(65, "fenced: %v", err)
	}
	if err != nil {
		log.Printf("not accepted: %v", err)
		w.stopIfSilent()
	}
	return err == nil
}

// beat beats once in an interval, whatever became of the beat before.
func (w *worker) beat(progress string) {
	if !time.Now().Before(w.nextBeatAt) {
		w.nextBeatAt = time.Now().Add(w.interval)
		w.report(fields{"lastHeartbeatAt": now(), "progress": progress})
	}
	w.stopIfSilent()
}

func (w *worker) stopIfSilent() {
	if time.Since(w.acceptedAt) >= w.timeout {
		stop(65, "fenced: nothing was accepted for %v, so somebody else may be doing the work", w.timeout)
	}
}

// record sends what must arrive until it does.
func (w *worker) record(status fields) {
	for !w.report(status) {
		time.Sleep(w.interval)
	}
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }

// stop ends the worker, and with it the work, whatever it is at.
func stop(code int, why string, arguments ...any) {
	log.Printf(why, arguments...)
	os.Exit(code)
}

func main() {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	rules := clientcmd.NewDefaultClientConfigLoadingRules() // A kubeconfig, or the pod's service account.
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		stop(69, "%v", err)
	}
	resource := schema.GroupVersionResource{Group: "jobrun.dev", Version: "v1", Resource: "jobruns"}
	namespace, run, _ := strings.Cut(os.Args[1], "/")
	runs := dynamic.NewForConfigOrDie(config).Resource(resource).Namespace(namespace)
	host, _ := os.Hostname()
	name := cmp.Or(os.Getenv("POD_NAME"), fmt.Sprintf("%s-%d", host, os.Getpid()))
	w := &worker{runs: runs, run: run, name: name, requestTimeout: 5 * time.Second}

	payload := w.claim()
	log.Printf("claimed as %s", name)
	err = work(payload, func(progress string) {
		w.beat(progress)
		if w.cancelled {
			w.record(fields{"phase": "Failed", "reason": "Cancelled", "completionTime": now()})
			stop(65, "cancelled")
		}
		if len(terminated) > 0 {
			w.record(fields{"phase": "Failed", "reason": "HandedBack", "completionTime": now()})
			stop(143, "handed back")
		}
	})
	exitCode, end := 0, fields{"phase": "Succeeded"}
	if err != nil {
		exitCode, end = 1, fields{"phase": "Failed", "reason": "WorkFailed", "message": err.Error()}
	}
	w.record(fields{"exitCode": exitCode, "exitTime": now()})
	end["completionTime"] = now()
	w.record(end)
	stop(exitCode, "%s", end["phase"])
}
