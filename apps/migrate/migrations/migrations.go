// Package migrations is the schema of the shop's database, one file a step, in goose's form. A step that was released is never
// changed: the next one changes what it made. Old and new tasks run side by side during a release, so a step leaves what the old
// ones need; what nobody needs any more goes a release later.
package migrations

import "embed"

// Files are the steps.
//
//go:embed *.sql
var Files embed.FS
