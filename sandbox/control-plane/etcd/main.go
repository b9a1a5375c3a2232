// Command etcd is etcd's server. Its own main package lives in a module that cannot be built from the
// module proxy alone, the server's entry point can.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
