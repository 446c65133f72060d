package scaling

import (
	"embed"
	"encoding/csv"
	"math/rand/v2"
	"strconv"
)

// load is what arrives, and what works on it.
type load struct {
	name string
	// perMinute is the number of messages sent in each minute, at any second of it.
	perMinute []int
	// atOnce are messages sent in a single second.
	atOnce map[int]int
	// seconds is how long a message really takes, on average.
	seconds float64
	// poison is the share of messages that fail each time they are tried, of those sent from one minute to another.
	poison               float64
	poisonFrom, poisonTo int
	minTasks, maxTasks   int
}

// messageSeconds is what the loads' team says of its messages.
const messageSeconds = 20

//go:embed traces/*.csv
var traces embed.FS

// recorded are real arrivals: traces/README.md has their sources. Each event stands for several messages, so that they are
// work for more than a few tasks.
func recorded() []load {
	return []load{
		{name: "US departures, a day", perMinute: trace("us-departures-2001-03-14", 3)},
		{name: "New York departures, a blizzard", perMinute: trace("new-york-departures-2013-02-08", 20)},
	}
}

// madeUp are the cases that a recording may lack.
func madeUp() []load {
	return []load{
		{name: "steady", perMinute: poisson(24*60, func(int) float64 { return 15 })},
		{name: "step up, step down", perMinute: poisson(8*60, between(60, 240, 6, 120))},
		{name: "burst of 800 in a second", perMinute: poisson(6*60, func(int) float64 { return 6 }), atOnce: map[int]int{3600: 800}},
		{name: "stop", perMinute: poisson(6*60, between(120, 360, 60, 0))},
		{name: "slow ramp", perMinute: poisson(8*60, func(m int) float64 { return float64(m) / 4 })},
		{name: "poison hour, a fifth fails", perMinute: poisson(8*60, func(int) float64 { return 60 }), poison: 0.2, poisonFrom: 120, poisonTo: 180},
	}
}

// loads are all of them, with the tasks that work on them.
func loads() []load {
	all := append(recorded(), madeUp()...)
	for i := range all {
		all[i].seconds, all[i].minTasks, all[i].maxTasks = messageSeconds, 2, 100
	}
	return all
}

// trace reads a recording: a line for each hour, with the number of events in each minute.
func trace(name string, messages int) []int {
	file, err := traces.Open("traces/" + name + ".csv")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	hours, err := csv.NewReader(file).ReadAll()
	if err != nil {
		panic(err)
	}
	var perMinute []int
	for _, hour := range hours {
		for _, field := range hour {
			n, err := strconv.Atoi(field)
			if err != nil {
				panic(err)
			}
			perMinute = append(perMinute, n*messages)
		}
	}
	return perMinute
}

// poisson draws independent arrivals around a mean, the same at each run.
func poisson(minutes int, mean func(minute int) float64) []int {
	random := rand.New(rand.NewPCG(1, 1))
	perMinute := make([]int, minutes)
	for m := range perMinute {
		for t := random.ExpFloat64(); t < mean(m); t += random.ExpFloat64() {
			perMinute[m]++
		}
	}
	return perMinute
}

func between(from, to int, outside, inside float64) func(int) float64 {
	return func(m int) float64 {
		if m >= from && m < to {
			return inside
		}
		return outside
	}
}
