//go:build tools

// Package unittest pins the helm-unittest that the tests run.
package unittest

import _ "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"
