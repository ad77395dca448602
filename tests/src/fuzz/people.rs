//! The list of people: a table, or faults that say where.

use taiwa_server::records::import::{ImportError, Table};

pub(super) fn people(data: &[u8]) {
    match Table::read(data) {
        Ok(_) => {}
        Err(ImportError::Faults(faults)) => {
            assert!((1..=20).contains(&faults.len()), "{} faults", faults.len());
            assert!(faults.iter().all(|fault| fault.line >= 1 && !fault.to_string().is_empty()));
        }
        Err(other) => panic!("a file alone gives faults and nothing else: {other}"),
    }
}

/// Small lists as people have them, right and wrong.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "email,name,site,manager_email,role\na@x.jp,佐藤 健一,東京,,admin\nb@x.jp,\"田中, 花子\",大阪,a@x.jp,member\n",
        "\u{feff}メールアドレス,氏名,部署,上司のメールアドレス,役割\r\na@x.jp,佐藤,営業,,人事\r\n",
        "email,name\na@x.jp,A\na@x.jp,B\n,C\n\"d@x.jp,D\n",
        "name;email\nA;a@x.jp\n",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    // 氏名 and a name in Shift_JIS, as Japanese Excel writes them.
    seeds.push(b"email,\x8e\x81\x96\xbc\r\na@x.jp,\x8d\xb2\x93\xa1\r\n".to_vec());
    seeds
}
