package scaling

import (
	"bytes"
	"flag"
	"fmt"
	"image/color"
	"math"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	document = "../../docs/scaling.md"
	picture  = "../../docs/scaling.svg"

	tableBegin = "<!-- measured: make scaling -->\n"
	tableEnd   = "<!-- end -->\n"
)

var update = flag.Bool("update", false, "write what was measured into docs/")

func TestDocumentSaysWhatWasMeasured(t *testing.T) {
	old, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(old), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", document)
	}
	keep(t, document, old, []byte(before+tableBegin+table()+tableEnd+after))
}

func TestPictureShowsWhatWasMeasured(t *testing.T) {
	old, err := os.ReadFile(picture)
	if err != nil && !*update {
		t.Fatal(err)
	}
	keep(t, picture, old, drawing(t))
}

// keep compares a committed file with what the code gives, or writes it.
func keep(t *testing.T, file string, old, now []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, now, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(old, now) {
		t.Errorf("%s is not what the code gives: run `make scaling` and review the difference", file)
	}
}

// both are what the policy and AWS's recipe did with a load.
func both(l load) (outcome, outcome) {
	return simulate(ours(maxWaitSeconds), slow, l, 1), simulate(recipe(maxWaitSeconds), slow, l, 1)
}

// table has a row for each load; of two numbers in a cell the first is the policy's, the second the recipe's.
func table() string {
	var text strings.Builder
	text.WriteString("| | messages | late | 99 % wait, s | longest wait, s | changes of tasks | flaps | task-hours | hours of work |\n")
	text.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, l := range loads() {
		first, second := both(l)
		n := len(first.waits)
		fmt.Fprintf(&text, "| %s | %d ", l.name, n)
		for _, column := range []func(outcome) any{
			func(o outcome) any { return share(o.late(maxWaitSeconds), n) },
			func(o outcome) any { return o.waits[n*99/100] },
			func(o outcome) any { return o.waits[n-1] },
			func(o outcome) any { return len(o.steps) },
			func(o outcome) any { return o.flaps() },
			func(o outcome) any { return math.Round(float64(o.taskSeconds) / 3600) },
		} {
			fmt.Fprintf(&text, "| %v / %v ", column(first), column(second))
		}
		fmt.Fprintf(&text, "| %.0f |\n", float64(n)*l.seconds/3600)
	}
	return text.String()
}

func share(part, all int) string {
	if part == 0 {
		return "0"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(all))
}

var (
	blue = color.RGBA{R: 0x1f, G: 0x5f, B: 0xb4, A: 0xff}
	gray = color.RGBA{R: 0x9a, G: 0x9a, B: 0x9a, A: 0xff}
	red  = color.RGBA{R: 0xc8, G: 0x32, B: 0x32, A: 0xff}
)

// drawing has a column for each recorded load: what arrives, and what became of it under the policy and the recipe.
func drawing(t *testing.T) []byte {
	var columns [][]*plot.Plot
	for _, l := range loads()[:len(recorded())] {
		first, second := both(l)
		arrivals := panel(t, l.name, "sent / minute", line{blue, points(first, func(m minute) int { return m.sent })})
		waiting := panel(t, "", "waiting", lines(first, second, func(m minute) int { return m.visible })...)
		tasks := panel(t, "", "tasks", lines(first, second, func(m minute) int { return m.desired })...)
		oldest := panel(t, "", "oldest wait, s", append(lines(first, second, func(m minute) int { return m.oldest }),
			line{red, plotter.XYs{{X: 0, Y: maxWaitSeconds}, {X: float64(len(l.perMinute)) / 60, Y: maxWaitSeconds}}})...)
		oldest.X.Label.Text = "hours"
		columns = append(columns, []*plot.Plot{arrivals, waiting, tasks, oldest})
	}
	rows := len(columns[0])
	grid := make([][]*plot.Plot, rows)
	for row := range grid {
		for _, column := range columns {
			grid[row] = append(grid[row], column[row])
		}
	}
	canvas := vgsvg.New(30*vg.Centimeter, 26*vg.Centimeter)
	dc := draw.New(canvas)
	tiles := draw.Tiles{Rows: rows, Cols: len(columns), PadX: vg.Centimeter, PadY: vg.Centimeter / 2, PadTop: vg.Centimeter / 3, PadRight: vg.Centimeter / 3}
	for row, cells := range plot.Align(grid, tiles, dc) {
		for column, cell := range cells {
			grid[row][column].Draw(cell)
		}
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type line struct {
	color color.Color
	plotter.XYs
}

// lines are the recipe's and, over it, the policy's.
func lines(first, second outcome, of func(minute) int) []line {
	return []line{{gray, points(second, of)}, {blue, points(first, of)}}
}

// points takes the largest of every five minutes: nothing that matters is lost, and the file stays small.
func points(o outcome, of func(minute) int) plotter.XYs {
	const every = 5
	var xys plotter.XYs
	for from := 0; from < len(o.minutes); from += every {
		largest := 0
		for _, m := range o.minutes[from : from+every] {
			largest = max(largest, of(m))
		}
		xys = append(xys, plotter.XY{X: float64(from) / 60, Y: float64(largest)})
	}
	return xys
}

func everySixHours(from, to float64) []plot.Tick {
	var ticks []plot.Tick
	for hour := from; hour <= to; hour += 6 {
		ticks = append(ticks, plot.Tick{Value: hour, Label: fmt.Sprint(hour)})
	}
	return ticks
}

func panel(t *testing.T, title, y string, all ...line) *plot.Plot {
	p := plot.New()
	p.X.Tick.Marker = plot.TickerFunc(everySixHours)
	p.Title.Text, p.Y.Label.Text = title, y
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	p.Add(plotter.NewGrid())
	for _, l := range all {
		drawn, err := plotter.NewLine(l.XYs)
		if err != nil {
			t.Fatal(err)
		}
		drawn.Color = l.color
		p.Add(drawn)
	}
	p.Y.Min = 0
	p.X.Max = math.Ceil(p.X.Max)
	return p
}
