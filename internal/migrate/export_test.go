package migrate

// UpFiles is Up with other files than the build's. The tests stand outside the
// package because pgtest, which they need, imports it.
var UpFiles = up
