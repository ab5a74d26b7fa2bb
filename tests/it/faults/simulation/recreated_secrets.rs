//! Secrets that another controller deletes and creates anew, again and again.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    races::{at_each, synced},
    store::Resource,
    world::SOURCE,
};

/// It is never away for two seconds, and the first absence ends before the second begins.
/// Cases: R-22
#[test]
fn each_absence_of_a_secret_counts_from_its_own_beginning() {
    at_each(async |world| {
        synced(world).await;
        let (before, written) = (world.calls("PATCH"), world.provider_writes());
        let id = (Resource::Secrets, "team".to_owned(), SOURCE.to_owned());
        for (away, there) in [(500, 1300), (800, 1150), (1900, 50), (1900, 4000)] {
            world.store.delete(&id).expect("it is deleted");
            sleep(Duration::from_millis(away)).await;
            world.rotate("a1");
            sleep(Duration::from_millis(there)).await;
        }
        world.quiet().await;
        assert_eq!(world.calls("PATCH"), before, "{:?}", world.target);
        assert_eq!(world.provider_writes(), written, "{:?}", world.target);
    });
}
