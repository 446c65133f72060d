package service

import (
	"strings"
	"testing"
)

func TestFargateSizes(t *testing.T) {
	for _, test := range []struct {
		cpu, memory int
		refused     string // part of the message, empty if the pair exists
	}{
		{256, 512, ""},
		{256, 1024, ""},
		{256, 2048, ""},
		{256, 1536, "choose from [512 1024 2048]"},
		{512, 1024, ""},
		{512, 4096, ""},
		{512, 512, "choose from 1024 to 4096"},
		{512, 5120, "choose from 1024 to 4096"},
		{1024, 2048, ""},
		{1024, 2500, "in steps of 1024"},
		{4096, 30720, ""},
		{8192, 16384, ""},
		{8192, 18432, "in steps of 4096"},
		{16384, 122880, ""},
		{300, 512, "CPU 300 is no Fargate size"},
		{0, 0, "CPU 0 is no Fargate size"},
	} {
		err := CheckSize(test.cpu, test.memory)
		switch {
		case err == nil && test.refused != "":
			t.Errorf("CPU %d with %d MiB was accepted", test.cpu, test.memory)
		case err != nil && test.refused == "":
			t.Errorf("CPU %d with %d MiB: %v", test.cpu, test.memory, err)
		case err != nil && !strings.Contains(err.Error(), test.refused):
			t.Errorf("CPU %d with %d MiB: %q does not say %q", test.cpu, test.memory, err, test.refused)
		}
	}
}
