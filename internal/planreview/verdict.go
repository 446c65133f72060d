package planreview

import "slices"

// Verdict is the review for a pipeline.
type Verdict struct {
	// Empty tells that the plan changes nothing.
	Empty    bool           `json:"empty"`
	DataLoss []Finding      `json:"data_loss"`
	Network  []Finding      `json:"network"`
	IAM      []Finding      `json:"iam"`
	Cost     VerdictCost    `json:"cost"`
	Counts   map[string]int `json:"counts"`
	// Needs are the labels the pull request has to have before the plan may be applied.
	Needs []string `json:"needs"`
}

// VerdictCost is what the stack costs a month, as far as the table has prices.
type VerdictCost struct {
	Before     float64  `json:"before"`
	After      float64  `json:"after"`
	Difference float64  `json:"difference"`
	Currency   string   `json:"currency"`
	Unpriced   []string `json:"unpriced"`
}

// Verdict sums the review up.
func (r *Review) Verdict() Verdict {
	v := Verdict{
		Empty:    r.empty(),
		DataLoss: append([]Finding{}, r.DataLoss...), Network: append([]Finding{}, r.Network...), IAM: append([]Finding{}, r.IAM...),
		Cost: VerdictCost{
			Before: r.Cost.Before, After: r.Cost.After, Difference: r.Cost.Difference(), Currency: currency,
			Unpriced: append([]string{}, r.Cost.Unpriced...),
		},
		Counts: map[string]int{"tags_only": r.TagsOnly(), "outputs": len(r.Outputs)},
		Needs:  []string{},
	}
	for _, a := range actions {
		v.Counts[string(a)] = r.Count(a)
	}
	if len(r.DataLoss) > 0 {
		v.Needs = append(v.Needs, ApproveDataLoss)
	}
	return v
}

// Missing are the labels the plan needs that are not among those given.
func (v Verdict) Missing(labels []string) []string {
	return slices.DeleteFunc(slices.Clone(v.Needs), func(need string) bool { return slices.Contains(labels, need) })
}

func (r *Review) empty() bool { return len(r.Changes) == 0 && len(r.Outputs) == 0 }
