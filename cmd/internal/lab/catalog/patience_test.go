package catalog_test

import "time"

// patience is how long a test waits for what has to come, on any machine.
const patience = 20 * time.Second
