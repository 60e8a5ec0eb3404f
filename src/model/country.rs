//! Countries and sets of countries.
//!
//! A set of countries is the one currency of this program: where an endpoint can be, where a rule lets it be, and what
//! is left when both are laid over each other. It is 256 bits, so that the question is two masks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// ISO 3166-1 alpha-2 codes with English short names, sorted by code, and `XK`, the user-assigned code in common use for
/// Kosovo. The index into this table is a [`Country`]; it never leaves the process.
static COUNTRIES: [(&str, &str); 250] = [
    ("AD", "Andorra"),
    ("AE", "United Arab Emirates"),
    ("AF", "Afghanistan"),
    ("AG", "Antigua and Barbuda"),
    ("AI", "Anguilla"),
    ("AL", "Albania"),
    ("AM", "Armenia"),
    ("AO", "Angola"),
    ("AQ", "Antarctica"),
    ("AR", "Argentina"),
    ("AS", "American Samoa"),
    ("AT", "Austria"),
    ("AU", "Australia"),
    ("AW", "Aruba"),
    ("AX", "Åland Islands"),
    ("AZ", "Azerbaijan"),
    ("BA", "Bosnia and Herzegovina"),
    ("BB", "Barbados"),
    ("BD", "Bangladesh"),
    ("BE", "Belgium"),
    ("BF", "Burkina Faso"),
    ("BG", "Bulgaria"),
    ("BH", "Bahrain"),
    ("BI", "Burundi"),
    ("BJ", "Benin"),
    ("BL", "Saint Barthélemy"),
    ("BM", "Bermuda"),
    ("BN", "Brunei"),
    ("BO", "Bolivia"),
    ("BQ", "Caribbean Netherlands"),
    ("BR", "Brazil"),
    ("BS", "Bahamas"),
    ("BT", "Bhutan"),
    ("BV", "Bouvet Island"),
    ("BW", "Botswana"),
    ("BY", "Belarus"),
    ("BZ", "Belize"),
    ("CA", "Canada"),
    ("CC", "Cocos Islands"),
    ("CD", "Congo (Kinshasa)"),
    ("CF", "Central African Republic"),
    ("CG", "Congo (Brazzaville)"),
    ("CH", "Switzerland"),
    ("CI", "Côte d'Ivoire"),
    ("CK", "Cook Islands"),
    ("CL", "Chile"),
    ("CM", "Cameroon"),
    ("CN", "China"),
    ("CO", "Colombia"),
    ("CR", "Costa Rica"),
    ("CU", "Cuba"),
    ("CV", "Cabo Verde"),
    ("CW", "Curaçao"),
    ("CX", "Christmas Island"),
    ("CY", "Cyprus"),
    ("CZ", "Czechia"),
    ("DE", "Germany"),
    ("DJ", "Djibouti"),
    ("DK", "Denmark"),
    ("DM", "Dominica"),
    ("DO", "Dominican Republic"),
    ("DZ", "Algeria"),
    ("EC", "Ecuador"),
    ("EE", "Estonia"),
    ("EG", "Egypt"),
    ("EH", "Western Sahara"),
    ("ER", "Eritrea"),
    ("ES", "Spain"),
    ("ET", "Ethiopia"),
    ("FI", "Finland"),
    ("FJ", "Fiji"),
    ("FK", "Falkland Islands"),
    ("FM", "Micronesia"),
    ("FO", "Faroe Islands"),
    ("FR", "France"),
    ("GA", "Gabon"),
    ("GB", "United Kingdom"),
    ("GD", "Grenada"),
    ("GE", "Georgia"),
    ("GF", "French Guiana"),
    ("GG", "Guernsey"),
    ("GH", "Ghana"),
    ("GI", "Gibraltar"),
    ("GL", "Greenland"),
    ("GM", "Gambia"),
    ("GN", "Guinea"),
    ("GP", "Guadeloupe"),
    ("GQ", "Equatorial Guinea"),
    ("GR", "Greece"),
    ("GS", "South Georgia"),
    ("GT", "Guatemala"),
    ("GU", "Guam"),
    ("GW", "Guinea-Bissau"),
    ("GY", "Guyana"),
    ("HK", "Hong Kong"),
    ("HM", "Heard and McDonald Islands"),
    ("HN", "Honduras"),
    ("HR", "Croatia"),
    ("HT", "Haiti"),
    ("HU", "Hungary"),
    ("ID", "Indonesia"),
    ("IE", "Ireland"),
    ("IL", "Israel"),
    ("IM", "Isle of Man"),
    ("IN", "India"),
    ("IO", "British Indian Ocean Territory"),
    ("IQ", "Iraq"),
    ("IR", "Iran"),
    ("IS", "Iceland"),
    ("IT", "Italy"),
    ("JE", "Jersey"),
    ("JM", "Jamaica"),
    ("JO", "Jordan"),
    ("JP", "Japan"),
    ("KE", "Kenya"),
    ("KG", "Kyrgyzstan"),
    ("KH", "Cambodia"),
    ("KI", "Kiribati"),
    ("KM", "Comoros"),
    ("KN", "Saint Kitts and Nevis"),
    ("KP", "North Korea"),
    ("KR", "South Korea"),
    ("KW", "Kuwait"),
    ("KY", "Cayman Islands"),
    ("KZ", "Kazakhstan"),
    ("LA", "Laos"),
    ("LB", "Lebanon"),
    ("LC", "Saint Lucia"),
    ("LI", "Liechtenstein"),
    ("LK", "Sri Lanka"),
    ("LR", "Liberia"),
    ("LS", "Lesotho"),
    ("LT", "Lithuania"),
    ("LU", "Luxembourg"),
    ("LV", "Latvia"),
    ("LY", "Libya"),
    ("MA", "Morocco"),
    ("MC", "Monaco"),
    ("MD", "Moldova"),
    ("ME", "Montenegro"),
    ("MF", "Saint Martin"),
    ("MG", "Madagascar"),
    ("MH", "Marshall Islands"),
    ("MK", "North Macedonia"),
    ("ML", "Mali"),
    ("MM", "Myanmar"),
    ("MN", "Mongolia"),
    ("MO", "Macao"),
    ("MP", "Northern Mariana Islands"),
    ("MQ", "Martinique"),
    ("MR", "Mauritania"),
    ("MS", "Montserrat"),
    ("MT", "Malta"),
    ("MU", "Mauritius"),
    ("MV", "Maldives"),
    ("MW", "Malawi"),
    ("MX", "Mexico"),
    ("MY", "Malaysia"),
    ("MZ", "Mozambique"),
    ("NA", "Namibia"),
    ("NC", "New Caledonia"),
    ("NE", "Niger"),
    ("NF", "Norfolk Island"),
    ("NG", "Nigeria"),
    ("NI", "Nicaragua"),
    ("NL", "Netherlands"),
    ("NO", "Norway"),
    ("NP", "Nepal"),
    ("NR", "Nauru"),
    ("NU", "Niue"),
    ("NZ", "New Zealand"),
    ("OM", "Oman"),
    ("PA", "Panama"),
    ("PE", "Peru"),
    ("PF", "French Polynesia"),
    ("PG", "Papua New Guinea"),
    ("PH", "Philippines"),
    ("PK", "Pakistan"),
    ("PL", "Poland"),
    ("PM", "Saint Pierre and Miquelon"),
    ("PN", "Pitcairn"),
    ("PR", "Puerto Rico"),
    ("PS", "Palestine"),
    ("PT", "Portugal"),
    ("PW", "Palau"),
    ("PY", "Paraguay"),
    ("QA", "Qatar"),
    ("RE", "Réunion"),
    ("RO", "Romania"),
    ("RS", "Serbia"),
    ("RU", "Russia"),
    ("RW", "Rwanda"),
    ("SA", "Saudi Arabia"),
    ("SB", "Solomon Islands"),
    ("SC", "Seychelles"),
    ("SD", "Sudan"),
    ("SE", "Sweden"),
    ("SG", "Singapore"),
    ("SH", "Saint Helena"),
    ("SI", "Slovenia"),
    ("SJ", "Svalbard and Jan Mayen"),
    ("SK", "Slovakia"),
    ("SL", "Sierra Leone"),
    ("SM", "San Marino"),
    ("SN", "Senegal"),
    ("SO", "Somalia"),
    ("SR", "Suriname"),
    ("SS", "South Sudan"),
    ("ST", "Sao Tome and Principe"),
    ("SV", "El Salvador"),
    ("SX", "Sint Maarten"),
    ("SY", "Syria"),
    ("SZ", "Eswatini"),
    ("TC", "Turks and Caicos Islands"),
    ("TD", "Chad"),
    ("TF", "French Southern Territories"),
    ("TG", "Togo"),
    ("TH", "Thailand"),
    ("TJ", "Tajikistan"),
    ("TK", "Tokelau"),
    ("TL", "Timor-Leste"),
    ("TM", "Turkmenistan"),
    ("TN", "Tunisia"),
    ("TO", "Tonga"),
    ("TR", "Türkiye"),
    ("TT", "Trinidad and Tobago"),
    ("TV", "Tuvalu"),
    ("TW", "Taiwan"),
    ("TZ", "Tanzania"),
    ("UA", "Ukraine"),
    ("UG", "Uganda"),
    ("UM", "US Outlying Islands"),
    ("US", "United States"),
    ("UY", "Uruguay"),
    ("UZ", "Uzbekistan"),
    ("VA", "Vatican City"),
    ("VC", "Saint Vincent and the Grenadines"),
    ("VE", "Venezuela"),
    ("VG", "British Virgin Islands"),
    ("VI", "US Virgin Islands"),
    ("VN", "Vietnam"),
    ("VU", "Vanuatu"),
    ("WF", "Wallis and Futuna"),
    ("WS", "Samoa"),
    ("XK", "Kosovo"),
    ("YE", "Yemen"),
    ("YT", "Mayotte"),
    ("ZA", "South Africa"),
    ("ZM", "Zambia"),
    ("ZW", "Zimbabwe"),
];

/// Codes that location databases use and that name no country: they carry no information (POLICY semantics 9).
const PSEUDO_CODES: [&str; 9] = ["A1", "A2", "O1", "AP", "EU", "ZZ", "XX", "T1", "--"];

/// Codes that people write and ISO 3166-1 does not have, with the code that they probably mean.
const MISTAKEN_CODES: [(&str, &str); 9] = [
    ("UK", "GB"),
    ("NK", "KP"),
    ("EN", "GB"),
    ("EL", "GR"),
    ("JA", "JP"),
    ("AN", "CW"),
    ("CS", "RS"),
    ("SU", "RU"),
    ("TP", "TL"),
];

/// A country or territory with a code of its own in ISO 3166-1, or `XK`.
///
/// Outside this process a country is always its code: `Display`, `FromStr` and serde speak alpha-2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(u8);

/// Why a text is not a country.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountryError {
    /// The code is none of ISO 3166-1; `suggestion` is the code that was probably meant.
    #[error("`{code}` is not an ISO 3166-1 country code")]
    Unknown {
        /// What was written.
        code: String,
        /// What was probably meant.
        suggestion: Option<Country>,
    },
    /// The code is one that databases use for "no country".
    #[error("`{code}` names no country")]
    Pseudo {
        /// What was written.
        code: String,
    },
}

impl Country {
    /// Every country, sorted by code.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNTRIES.len()).map(|index| Self(index as u8))
    }

    /// The alpha-2 code in any case, or `None` for anything else: for databases and feeds, where a code that names no
    /// country is no information.
    pub fn from_code(code: &str) -> Option<Self> {
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        let upper = [bytes[0].to_ascii_uppercase(), bytes[1].to_ascii_uppercase()];
        COUNTRIES.binary_search_by(|(known, _)| known.as_bytes().cmp(&upper[..])).ok().map(|index| Self(index as u8))
    }

    /// The ISO 3166-1 alpha-2 code.
    pub fn code(self) -> &'static str {
        COUNTRIES[usize::from(self.0)].0
    }

    /// The English short name.
    pub fn name(self) -> &'static str {
        COUNTRIES[usize::from(self.0)].1
    }
}

impl FromStr for Country {
    type Err = CountryError;

    /// Parses a code that a person wrote: strict, so that `UK` does not go unnoticed.
    fn from_str(text: &str) -> Result<Self, CountryError> {
        if text.bytes().all(|byte| byte.is_ascii_uppercase())
            && let Some(country) = Self::from_code(text)
        {
            return Ok(country);
        }
        let upper = text.to_ascii_uppercase();
        if PSEUDO_CODES.contains(&upper.as_str()) {
            return Err(CountryError::Pseudo { code: text.to_owned() });
        }
        let suggestion = Self::from_code(&upper).or_else(|| {
            let meant = MISTAKEN_CODES.iter().find(|(wrong, _)| *wrong == upper);
            let named = || COUNTRIES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
            meant.map(|(_, right)| *right).or_else(|| named().map(|(code, _)| *code)).and_then(Self::from_code)
        });
        Err(CountryError::Unknown { code: text.to_owned(), suggestion })
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of countries.
///
/// [`CountrySet::ANYWHERE`] stands for *no information*: an endpoint whose location is unknown could be in any country.
/// Sets are ordered so that they can be keys; the order means nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CountrySet([u64; 4]);

impl CountrySet {
    /// No country.
    pub const NOWHERE: Self = Self([0; 4]);

    /// Every country: what is known of an endpoint of which nothing is known.
    pub const ANYWHERE: Self = {
        let mut words = [u64::MAX; 4];
        words[3] = (1 << (COUNTRIES.len() - 192)) - 1;
        Self(words)
    };

    /// The set of one country.
    pub const fn of(country: Country) -> Self {
        let mut words = [0; 4];
        words[(country.0 / 64) as usize] = 1 << (country.0 % 64);
        Self(words)
    }

    /// Whether `country` is in the set.
    pub const fn contains(&self, country: Country) -> bool {
        self.0[(country.0 / 64) as usize] >> (country.0 % 64) & 1 == 1
    }

    /// Whether the set has no country.
    pub const fn is_empty(&self) -> bool {
        self.0[0] | self.0[1] | self.0[2] | self.0[3] == 0
    }

    /// Whether the set has every country.
    pub fn is_anywhere(&self) -> bool {
        *self == Self::ANYWHERE
    }

    /// How many countries the set has.
    pub const fn len(&self) -> usize {
        (self.0[0].count_ones() + self.0[1].count_ones() + self.0[2].count_ones() + self.0[3].count_ones()) as usize
    }

    /// The country of a set of one.
    pub fn only(&self) -> Option<Country> {
        if self.len() == 1 { self.iter().next() } else { None }
    }

    /// The countries, sorted by code.
    pub fn iter(&self) -> impl Iterator<Item = Country> + use<> {
        let words = self.0;
        (0..4u8).flat_map(move |word| {
            let mut left = words[usize::from(word)];
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                (bit < 64).then(|| {
                    left &= left - 1;
                    Country(word * 64 + bit as u8)
                })
            })
        })
    }

    /// Adds a country.
    pub fn insert(&mut self, country: Country) {
        *self = self.union(Self::of(country));
    }

    /// The countries of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
    }

    /// The countries of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]])
    }

    /// The countries of this set that are not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] & !b[0], a[1] & !b[1], a[2] & !b[2], a[3] & !b[3]])
    }

    /// The countries that are not in this set.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self::ANYWHERE.difference(self)
    }

    /// Whether the sets share a country.
    pub const fn intersects(&self, other: &Self) -> bool {
        !self.intersection(*other).is_empty()
    }

    /// Whether every country of this set is in the other.
    pub const fn is_subset(&self, other: &Self) -> bool {
        self.difference(*other).is_empty()
    }

    /// Whether some of this set lies inside `border`, and whether some of it lies outside: the decision in two masks.
    pub const fn split_by(&self, border: &Self) -> (bool, bool) {
        (self.intersects(border), !self.is_subset(border))
    }
}

impl FromIterator<Country> for CountrySet {
    fn from_iter<I: IntoIterator<Item = Country>>(countries: I) -> Self {
        countries.into_iter().fold(Self::NOWHERE, |set, country| set.union(Self::of(country)))
    }
}

impl fmt::Display for CountrySet {
    /// Codes with commas, or `*` for [`CountrySet::ANYWHERE`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_anywhere() {
            return f.pad("*");
        }
        let codes: Vec<&str> = self.iter().map(Country::code).collect();
        f.pad(&codes.join(","))
    }
}

impl fmt::Debug for CountrySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl Serialize for CountrySet {
    /// A sorted list of codes, or `"*"` for [`CountrySet::ANYWHERE`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_anywhere() { serializer.serialize_str("*") } else { serializer.collect_seq(self.iter()) }
    }
}

impl<'de> Deserialize<'de> for CountrySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Anywhere(String),
            Codes(Vec<Country>),
        }
        match Written::deserialize(deserializer)? {
            Written::Anywhere(text) if text == "*" => Ok(Self::ANYWHERE),
            Written::Anywhere(text) => {
                Err(serde::de::Error::custom(format!("`{text}` is neither `*` nor a list of codes")))
            }
            Written::Codes(codes) => Ok(codes.into_iter().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_codes_come_back() {
        assert!(COUNTRIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for country in Country::all() {
            assert_eq!(country.code().parse(), Ok(country));
        }
        assert_eq!(CountrySet::ANYWHERE.len(), 250);
        assert_eq!(Country::all().collect::<CountrySet>(), CountrySet::ANYWHERE);
    }

    #[test]
    fn people_are_told_what_they_meant() {
        let unknown = |text: &str| match text.parse::<Country>() {
            Err(CountryError::Unknown { suggestion, .. }) => suggestion.map(Country::code),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(unknown("UK"), Some("GB"));
        assert_eq!(unknown("NK"), Some("KP"));
        assert_eq!(unknown("de"), Some("DE"));
        assert_eq!(unknown("Norway"), Some("NO"));
        assert_eq!(unknown("QQ"), None);
        assert_eq!("EU".parse::<Country>(), Err(CountryError::Pseudo { code: "EU".into() }));
    }

    #[test]
    fn sets_are_written_as_sorted_codes() {
        let set: CountrySet = ["US", "CA"].iter().filter_map(|code| Country::from_code(code)).collect();
        assert_eq!(set.to_string(), "CA,US");
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["CA","US"]"#);
        assert_eq!(serde_json::to_string(&CountrySet::ANYWHERE).unwrap(), r#""*""#);
        assert_eq!(serde_json::from_str::<CountrySet>(r#"["CA","US"]"#).unwrap(), set);
    }
}
