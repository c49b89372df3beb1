// The program elector is client-go's leader election and nothing else, so that tests can see the
// controller and a client-go program take turns by one Lease.
//
// It prints one line per change to standard output: "leader ID" when somebody else or itself is seen to
// lead, "leading" when it begins to, "lost" when it has stopped. On SIGTERM and SIGINT it gives the
// Lease up and ends with 0; when it loses the Lease it ends with 1.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

type options struct {
	kubeconfig, namespace, name, identity string
	lease, renewDeadline, retry           time.Duration
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "path of a kubeconfig")
	flag.StringVar(&o.namespace, "namespace", "default", "of the Lease")
	flag.StringVar(&o.name, "name", "jobrun-controller", "of the Lease")
	flag.StringVar(&o.identity, "identity", "client-go", "its holder's identity")
	flag.DurationVar(&o.lease, "lease-duration", 15*time.Second, "whole seconds")
	flag.DurationVar(&o.renewDeadline, "renew-deadline", 10*time.Second, "after which a leader gives up")
	flag.DurationVar(&o.retry, "retry-period", 2*time.Second, "between two attempts")
	flag.Parse()
	return o
}

// elect takes part in the election until ctx is done or the Lease is lost.
func elect(ctx context.Context, o options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	config.Timeout = o.renewDeadline / 2
	config.ContentType = "application/json" // the dev server speaks nothing else
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var led atomic.Bool
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: o.namespace, Name: o.name},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: o.identity},
		},
		LeaseDuration:   o.lease,
		RenewDeadline:   o.renewDeadline,
		RetryPeriod:     o.retry,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				led.Store(true)
				fmt.Println("leading")
			},
			// Also called when it has never led, and after the Lease was given up.
			OnStoppedLeading: func() {
				if led.Load() {
					fmt.Println("lost")
				}
			},
			OnNewLeader: func(identity string) { fmt.Println("leader", identity) },
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	return nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("elector: ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := elect(ctx, parseFlags()); err != nil {
		log.Fatal(err)
	}
	if ctx.Err() == nil {
		os.Exit(1)
	}
}
