package scaling

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"strconv"
	"testing"

	"aws-microservices/constructs/service"
)

// compile reads an expression once: the part of CloudWatch's metric math that looks like Go. What it gives for a minute's
// metrics is NaN where CloudWatch would have no point.
func compile(expression string) func(metrics map[string]float64) float64 {
	tree, err := parser.ParseExpr(expression)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", expression, err))
	}
	return func(metrics map[string]float64) float64 { return value(tree, metrics) }
}

func value(e ast.Expr, values map[string]float64) float64 {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return value(e.X, values)
	case *ast.BasicLit:
		v, err := strconv.ParseFloat(e.Value, 64)
		if err != nil {
			panic(err)
		}
		return v
	case *ast.Ident:
		v, known := values[e.Name]
		if !known {
			panic("there is no metric " + e.Name)
		}
		return v
	case *ast.BinaryExpr:
		return binary(e.Op, value(e.X, values), value(e.Y, values))
	case *ast.CallExpr:
		name, first := e.Fun.(*ast.Ident).Name, value(e.Args[0], values)
		switch {
		case name == "FILL" && math.IsNaN(first), name == "IF" && first == 0: // the other value
			return value(e.Args[len(e.Args)-1], values)
		case name == "FILL", name == "IF" && math.IsNaN(first):
			return first
		case name == "IF":
			return value(e.Args[1], values)
		}
	}
	panic(fmt.Sprintf("metric math not known here: %T", e))
}

func binary(op token.Token, x, y float64) float64 {
	truth := func(b bool) float64 {
		switch {
		case math.IsNaN(x) || math.IsNaN(y):
			return math.NaN()
		case b:
			return 1
		}
		return 0
	}
	switch op {
	case token.ADD:
		return x + y
	case token.SUB:
		return x - y
	case token.MUL:
		return x * y
	case token.QUO:
		if y == 0 {
			return math.NaN() // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
		}
		return x / y
	case token.GTR:
		return truth(x > y)
	case token.LSS:
		return truth(x < y)
	}
	panic("metric math not known here: " + op.String())
}

func TestShareOfTasksThatIsNeeded(t *testing.T) {
	none := math.NaN()
	for name, test := range map[string]struct {
		visible, sent, desired float64
		want                   float64
	}{
		"enough":                              {0, 30, 10, 1},
		"arrivals alone need more":            {0, 60, 10, 2},
		"the backlog alone needs more":        {480, 0, 10, 2},
		"both":                                {240, 30, 10, 2},
		"a third and one too many":            {0, 20.25, 10, 1},
		"more than that: a quarter goes":      {0, 20.2, 10, 0.69},
		"of two, one goes":                    {0, 0, 2, 0.45},
		"nothing sent is reported as nothing": {480, none, 10, 2},
		"the queue's metrics are not there":   {none, none, 10, none},
		"the newest minute is half there":     {none, 60, 10, none},
		"asleep, nothing to do":               {0, 0, 0, 1},
		"asleep, with a backlog":              {480, 60, 0, none},
	} {
		t.Run(name, func(t *testing.T) {
			share := compile(service.Backlog{MessageSeconds: 20, MaxWaitSeconds: 900}.Expression())
			got := share(map[string]float64{"visible": test.visible, "sent": test.sent, "desired": test.desired})
			if math.IsNaN(got) != math.IsNaN(test.want) || math.Abs(got-test.want) > 1e-9 {
				t.Errorf("%g, want %g", got, test.want)
			}
		})
	}
}

func TestScaleInTakesAQuarterAndAtLeastOne(t *testing.T) {
	b := service.Backlog{MessageSeconds: 20, MaxWaitSeconds: 900}
	share := compile(b.Expression())
	for n := 2; n <= 1000; n++ {
		low := share(map[string]float64{"visible": 0, "sent": 0, "desired": float64(n)})
		if low >= scaleInBelow*b.Target() {
			t.Fatalf("with %d tasks %g does not scale in", n, low)
		}
		// Real numbers that are not quite whole must not change what rounding up gives.
		exact := float64(n) * low
		if to := math.Ceil(exact); to >= float64(n) || to < 0.75*float64(n)-1 || to-exact < 0.01 || to-exact > 0.99 {
			t.Errorf("%d tasks become %g", n, exact)
		}
	}
}
