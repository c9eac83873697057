package meter

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// showProcess adds what is usual to know of any process, under its usual
// names.
func (m *Meter) showProcess() {
	started := float64(time.Now().UnixMilli()) / 1000
	m.single("gauge", "process_start_time_seconds", "When the process started, in seconds since 1970.", func() float64 { return started })
	m.single("counter", "process_cpu_seconds_total", "Processor time of the process, in its own code and in the kernel.", cpuTime)
	m.single("gauge", "process_resident_memory_bytes", "Memory of the process that is in use.", resident)
	m.single("gauge", "process_open_fds", "Files that the process has open.", openFiles)
	m.single("gauge", "go_goroutines", "Goroutines.", func() float64 { return float64(runtime.NumGoroutine()) })
	m.single("gauge", "go_heap_bytes", "Memory of live and not yet collected objects.", func() float64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		if metrics.Read(sample); sample[0].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return float64(sample[0].Value.Uint64())
	})
}

func cpuTime() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// resident is 0 where there is no /proc.
func resident() float64 {
	data, err := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(data))
	if err != nil || len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(f[1], 64) // 0 if the kernel says anything else
	return pages * float64(os.Getpagesize())
}

func openFiles() float64 {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return float64(len(entries))
}
