//! What goes wrong around the product: disks, lines and clocks. Deaths of processes are in `killed_server` and
//! `killed_phone`, damaged files in `damaged_files` and `backup`.

mod clocks;
mod full_disk;
mod reconnects;
