package planreview

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

const (
	// pricesOf and pricesAt are the region of the table and the day it was last renewed.
	pricesOf = "eu-west-1"
	pricesAt = "2026-11-25"
	currency = "USD"
	// hours are those of a month, as AWS's calculator has them.
	hours = 730
)

//go:embed prices.csv
var priceTable string

// prices are by the month, or the share that a row is.
var prices = sync.OnceValue(func() map[string]float64 {
	rows := csv.NewReader(strings.NewReader(priceTable))
	rows.Comment = '#'
	all, err := rows.ReadAll()
	if err != nil {
		panic(fmt.Sprintf("prices.csv: %v", err))
	}
	byName := map[string]float64{}
	for _, row := range all {
		price, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			panic(fmt.Sprintf("prices.csv: %s: %v", row[0], err))
		}
		if row[2] == "hour" {
			price *= hours
		}
		byName[row[0]] = price
	}
	return byName
})

// larger are the sizes above large, each twice the one before.
var larger = map[string]float64{"large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8, "8xlarge": 16, "16xlarge": 32}

// sized is the price of an instance type, by way of the family's large where it has no row of its own.
func sized(name string) (float64, bool) {
	if price, ok := prices()[name]; ok {
		return price, true
	}
	dot := strings.LastIndex(name, ".")
	if dot < 0 {
		return 0, false
	}
	price, ok := prices()[name[:dot]+".large"]
	times, known := larger[name[dot+1:]]
	return price * times, ok && known
}
