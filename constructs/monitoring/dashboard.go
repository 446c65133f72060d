package monitoring

import (
	"bytes"
	"cmp"
	"encoding/json"
	"sort"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchdashboard"
)

// The dashboard's body.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
type (
	body struct {
		Start   string   `json:"start,omitempty"`
		Widgets []widget `json:"widgets"`
	}
	widget struct {
		Type       string     `json:"type"`
		X          int        `json:"x"`
		Y          int        `json:"y"`
		Width      int        `json:"width"`
		Height     int        `json:"height"`
		Properties properties `json:"properties"`
	}
	properties struct {
		Title   string  `json:"title"`
		Region  string  `json:"region"`
		Period  int     `json:"period"`
		View    string  `json:"view"`
		Metrics [][]any `json:"metrics"`
	}
	options struct {
		Expression string `json:"expression,omitempty"`
		ID         string `json:"id,omitempty"`
		Stat       string `json:"stat,omitempty"`
		Label      string `json:"label"`
		Region     string `json:"region,omitempty"`
		Visible    *bool  `json:"visible,omitempty"`
	}
)

const (
	columns      = 24
	widgetWidth  = 8
	widgetHeight = 6
)

func dashboard(scope constructs.Construct, props Props) {
	cloudwatchdashboard.NewCloudwatchDashboard(scope, jsii.String("dashboard"), &cloudwatchdashboard.CloudwatchDashboardConfig{
		DashboardName: &props.Name,
		DashboardBody: jsii.String(render(props.Graphs, props.Region, props.Start)),
	})
}

// render lays the graphs out three in a row.
func render(graphs []Graph, region, start string) string {
	b := body{Start: start, Widgets: []widget{}}
	perRow := columns / widgetWidth
	for i, g := range graphs {
		p := properties{Title: g.Title, Region: region, Period: cmp.Or(g.PeriodSeconds, 60), View: "timeSeries"}
		for _, m := range g.Metrics {
			p.Metrics = append(p.Metrics, row(m))
		}
		b.Widgets = append(b.Widgets, widget{
			Type: "metric", X: i % perRow * widgetWidth, Y: i / perRow * widgetHeight,
			Width: widgetWidth, Height: widgetHeight, Properties: p,
		})
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(b); err != nil {
		panic(err) // only a type that JSON does not know could fail
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

// row writes a metric as CloudWatch wants it: namespace, name, dimension pairs, options; a formula is options alone.
func row(m Metric) []any {
	if m.Expression != "" {
		return []any{options{Expression: m.Expression, Label: m.Label}}
	}
	r := []any{m.Namespace, m.Name}
	names := make([]string, 0, len(m.Dimensions))
	for name := range m.Dimensions {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		r = append(r, name, m.Dimensions[name])
	}
	label := m.Label
	if label == "" {
		label = m.Name
	}
	o := options{ID: m.ID, Stat: m.Statistic, Label: label, Region: m.Region}
	if m.ID != "" {
		o.Visible = jsii.Bool(false)
	}
	return append(r, o)
}
