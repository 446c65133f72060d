// Package build says which build of a service runs. The Dockerfiles set its variables by -ldflags -X.
package build

// Version is the release, e.g. "v1.2.3". Defaults to "dev".
var Version = "dev"

// Commit is the hash of the commit. Defaults to "unknown".
var Commit = "unknown"
