package link

import "testing"

func TestVariablesAreNamedByOneRule(t *testing.T) {
	if got := Variable("queue", "order-placed", "url"); got != "QUEUE_ORDER_PLACED_URL" {
		t.Error(got)
	}
}
