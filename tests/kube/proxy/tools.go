//go:build tools

// Package proxy pins the kube-proxy that the cluster tests run.
package proxy

import _ "k8s.io/kubernetes/cmd/kube-proxy"
