//go:build tools

// Package tools names the command to build, so that go.sum covers what it needs.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
