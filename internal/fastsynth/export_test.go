package fastsynth

// Started says how Enable has started jsii.
func Started() string { return started }
