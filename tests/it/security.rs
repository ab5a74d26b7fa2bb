//! What no tenant may reach and no output may show.

mod fuzz; // the fuzz targets, replayed
mod leaks; // where no value is found
mod tenants; // two who share a provider
