// Command service stands for a service of the shop in the tests of releases: what it does wrong is built into it.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Set by the linker: the version it answers with, and what it is.
var version, kind string

func main() {
	port := os.Getenv("PORT")
	if len(os.Args) > 1 && os.Args[1] == "-health" {
		response, err := http.Get("http://127.0.0.1:" + port + "/healthz")
		if err != nil || response.StatusCode != http.StatusOK {
			os.Exit(1)
		}
		return
	}
	switch kind {
	case "crashes":
		fmt.Println("cannot start: no price list")
		os.Exit(3)
	case "killed":
		// By itself: somebody else would be late on a busy machine.
		time.AfterFunc(time.Second/2, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	case "hungry":
		eat()
	case "slow":
		time.Sleep(8 * time.Second)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if kind == "sick" {
			http.Error(w, "the price list is empty", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, version) })
	fmt.Println("version", version, "listens on", port)
	fmt.Println(http.ListenAndServe(":"+port, nil))
	os.Exit(1)
}

// eat takes memory until there is none.
func eat() {
	for all := [][]byte{}; ; {
		all = append(all, bytes.Repeat([]byte{1}, 16<<20))
		fmt.Println("needs", len(all)*16, "MiB")
	}
}
