package runlog_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/runlog"
)

// What a machine records of a run is written as it goes, and read again also where its
// end is missing.
func ExampleRead() {
	var file bytes.Buffer
	w, err := runlog.NewWriter(&file, runlog.Header{
		Name: "peak", Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "orders", URL: "http://orders"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range int32(3) {
		w.Window(attack.Window{Index: i, Scheduled: 25, Sent: 25})
	}
	w.Flush()
	if err := w.Err(); err != nil {
		fmt.Println(err)
	}
	log, err := runlog.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(log.Windows[0]), "windows of", log.Header.Targets[0].Name)
	fmt.Println("ended:", log.Trailer != nil)
	// Output:
	// 3 windows of orders
	// ended: false
}
