// Vminit is the first and only process of a small virtual machine: it loads
// kernel modules, runs tests, says what became of them and turns the machine
// off. [.ci/vm/run] makes the machine.
//
// In the root folder of the machine it finds modules.txt, a kernel module a
// line in the order of loading, and tests.txt, a folder and a command line
// each.
package main
