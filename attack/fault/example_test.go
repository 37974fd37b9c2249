package fault_test

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/rampload/rampload/attack/fault"
)

// A client that hides resets is tested against a server that counts those it sent.
func ExampleInjector() {
	server, err := fault.NewInjector(fault.InjectorOptions{Place: fault.BeforeResponseFresh, Every: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	failed := 0
	for range 10 {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Post(server.URL(), "text/plain", bytes.NewReader([]byte("order")))
		if err != nil {
			failed++
			continue
		}
		_ = answer.Body.Close()
	}
	if err := server.Close(); err != nil { // from here on the counts are final
		fmt.Println(err)
	}
	fmt.Println("failed:", failed, "reset:", server.Counts().Resets)
	// Output: failed: 5 reset: 5
}
