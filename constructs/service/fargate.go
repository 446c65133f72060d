package service

import (
	"fmt"
	"slices"
)

// fargateMemory are the sizes Fargate knows: for each CPU, the memory in MiB from, to and in steps of.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
var fargateMemory = map[int]struct{ from, to, step int }{
	256:   {512, 2048, 0}, // 512, 1024 and 2048 only
	512:   {1024, 4096, 1024},
	1024:  {2048, 8192, 1024},
	2048:  {4096, 16384, 1024},
	4096:  {8192, 30720, 1024},
	8192:  {16384, 61440, 4096},
	16384: {32768, 122880, 8192},
}

// CheckSize refuses a pair of CPU units and memory that Fargate does not offer, and says which it does.
func CheckSize(cpu, memoryMiB int) error {
	m, known := fargateMemory[cpu]
	if !known {
		return fmt.Errorf("CPU %d is no Fargate size: choose 256, 512, 1024, 2048, 4096, 8192 or 16384", cpu)
	}
	if m.step == 0 {
		if allowed := []int{512, 1024, 2048}; !slices.Contains(allowed, memoryMiB) {
			return fmt.Errorf("%d MiB do not go with CPU %d: choose from %v", memoryMiB, cpu, allowed)
		}
		return nil
	}
	if memoryMiB < m.from || memoryMiB > m.to || (memoryMiB-m.from)%m.step != 0 {
		return fmt.Errorf("%d MiB do not go with CPU %d: choose from %d to %d in steps of %d", memoryMiB, cpu, m.from, m.to, m.step)
	}
	return nil
}
